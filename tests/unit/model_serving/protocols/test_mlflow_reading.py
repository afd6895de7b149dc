"""Bodies of the scoring protocol: what is refused, and in whose words."""

import contextlib
import gzip
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.types.schema import ColSpec

from mlplatform.errors import BadRequest, PlatformError, Unprocessable, UnsupportedMediaType
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.protocols.mlflow_scoring.content_type import Form, form_of
from services.model_serving.protocols.mlflow_scoring.errors import render_error
from services.model_serving.protocols.mlflow_scoring.json_request import JsonRequest
from services.model_serving.protocols.mlflow_scoring.table_request import TableRequest
from services.model_serving.signature import MLFLOW, MLFLOW_COMPAT, ModelInput
from tests.unit.model_serving.protocols import models

AB = ["a", "b"]


def read(model: LoadedModel, body: Any, policy: Any = MLFLOW) -> ModelInput:
    """Read a body that fits."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return JsonRequest(content, policy).read(model)[0]


def refusal(model: LoadedModel, body: Any, policy: Any = MLFLOW) -> dict[str, Any]:
    """Read a body that does not fit; return the answer."""
    with pytest.raises(PlatformError) as caught:
        read(model, body, policy)
    answer = render_error(caught.value, "r")
    assert answer.status == 400
    return json.loads(answer.body)


def split(columns: Any, data: Any) -> dict[str, Any]:
    """Return a table."""
    return {"dataframe_split": {"columns": columns, "data": data}}


class TestFields:
    """An error names the field as the caller wrote it, and nothing of its value."""

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (split(AB, [[1, 2], [1, "secret"]]), "dataframe_split.data.1.1"),
            (split(AB, [[1, 1e308 * 10], [1, 2]]), None),
            (split(["a"], [[1]]), "dataframe_split.columns.b"),
            (split(AB, [[1, 2], [1]]), "dataframe_split.data.1"),
            (split(["a", "b", "a"], [[1, 2, 3]]), "dataframe_split.columns"),
            ({"dataframe_records": [{"a": 1, "b": "secret"}]}, "dataframe_records.0.b"),
            ({"dataframe_records": [{"a": 1}]}, "dataframe_records.0.b"),
            ({"inputs": {"a": [1], "b": [True]}}, "inputs.b.0"),
            ({"instances": {"a": [1], "b": [[]]}}, "instances.b.0"),
            ({"instances": [{"a": 1, "b": {}}]}, "instances.0.b"),
            ({"inputs": {"a": [1], "b": [2]}, "params": {"k": "secret"}}, "params.k"),
            ({"inputs": {"a": [1], "b": [2]}, "params": 7}, "params"),
        ],
    )
    def test_are_named(self, body: Any, field: str | None):
        found = refusal(models.TWO, body)
        assert "secret" not in json.dumps(found)
        if field is not None:
            assert [error["field"] for error in found["errors"]] == [field]
            assert field in found["message"]

    @pytest.mark.parametrize("number", ["Infinity", "-Infinity", "1e999", "1" * 400])
    def test_names_an_infinity(self, number: str):
        body = f'{{"dataframe_split": {{"columns": ["a", "b"], "data": [[1, 2], [{number}, 2]]}}}}'
        assert refusal(models.TWO, body.encode())["errors"][0]["field"] == "dataframe_split.data.1.0"

    def test_nan_is_a_missing_number(self):
        found = read(models.TWO, b'{"dataframe_split": {"columns": ["a", "b"], "data": [[NaN, 2]]}}')
        assert np.isnan(found.data["a"][0])

    def test_too_many_rows(self):
        body = split(AB, [[1, 2]] * (models.MAX_ROWS + 1))
        assert "at most 1000" in refusal(models.TWO, body)["message"]


class TestHostileBodies:
    """Bodies made to break something."""

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"inputs":' * 2000,
            b'{"inputs": ' + b"[" * 900 + b"]" * 900 + b"}",
            b'{"dataframe_split": {"columns": [[]], "data": [[1]]}}',
            b'{"dataframe_split": {"columns": [{"a": 1}], "data": [[1]]}}',
            b'{"dataframe_split": {"columns": [null], "data": [[1]]}}',
            b'{"dataframe_split": {"columns": ["a", 1], "data": [[1, 2]]}}',
            b'{"inputs": {"a": 1, "b": [1]}}',
            b'{"inputs": {"": [1]}}',
            b'{"inputs": [{"a": 1, "b": 2}, 3]}',
            b'{"instances": [{"a": 1, "b": 2}, [3]]}',
            b'{"dataframe_records": [{"a": 1, "b": 2}, null]}',
            b"\xef\xbb\xbf{}",
            b"\x00",
        ],
    )
    @pytest.mark.parametrize("model", models.ALL)
    def test_are_the_callers_fault(self, model: LoadedModel, body: bytes):
        with contextlib.suppress(BadRequest, Unprocessable):  # some models take some of them
            read(model, body)

    def test_fifty_megabytes(self):
        row = b"[" + b"1.5," * 250 + b"2.5],"
        body = b'{"dataframe_split":{"columns":["a","b"],"data":[' + row * 50_000 + b"[1,2]]}}"
        assert "at most 1000" in refusal(models.TWO, body)["message"]


class TestCompatMode:
    """What the stock server converts."""

    def test_converts_text_and_cuts_fractions_off(self):
        found = read(models.TWO, split(AB, [["2.5", 2]]), MLFLOW_COMPAT).data
        assert found["a"].tolist() == [2.5]
        found = read(models.TYPED, split(["n"], [[1.9], ["7"]]), MLFLOW_COMPAT).data
        assert found["n"].tolist() == [1, 7]

    def test_is_off_unless_asked_for(self):
        assert refusal(models.TWO, split(AB, [["2.5", 2]]))["error_code"] == "BAD_REQUEST"
        assert refusal(models.TYPED, split(["n"], [[1.9]]))["errors"][0]["field"] == "dataframe_split.data.0.0"

    def test_still_refuses_what_is_no_number(self):
        assert (
            refusal(models.TWO, split(AB, [["x", 2]]), MLFLOW_COMPAT)["errors"][0]["field"]
            == "dataframe_split.data.0.0"
        )


class TestTables:
    """CSV and Parquet."""

    def read(self, body: bytes, form: Form, model: LoadedModel = models.TWO) -> ModelInput:
        """Read a body that fits."""
        return TableRequest(body, form, MLFLOW, models.MAX_ROWS).read(model)[0]

    def refusal(self, body: bytes, form: Form, model: LoadedModel = models.TWO) -> str:
        """Read a body that does not fit; return the message."""
        with pytest.raises(PlatformError) as caught:
            self.read(body, form, model)
        answer = render_error(caught.value, "r")
        assert answer.status == 400
        return json.loads(answer.body)["message"]

    def test_csv(self):
        found = self.read(b"b,c,a\n2,x,1\n4,y,\n", Form.CSV).data
        assert found.to_dict("list")["b"] == [2.0, 4.0]
        assert np.isnan(found["a"][1])

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (b"", "CSV"),
            (b"\xff", "CSV"),
            (b"a,b\n1,2,3,4\n1,2,3\n", ""),
            (b'a,b\n"1,2\n', ""),
            (b"a,b\n1,secret\n", "table.b must be float64"),
            (b"a,b\n1,inf\n", "table.b must be finite"),
            (b"a,a,b\n1,2,3\n", "table.columns has a name twice"),
            (b"a\n1\n", "table.b is missing"),
            (b"a,b\n" + b"1,2\n" * 1001, "at most 1000"),
        ],
    )
    def test_bad_csv(self, body: bytes, says: str):
        message = self.refusal(body, Form.CSV)
        assert says in message
        assert "secret" not in message

    def test_parquet(self, tmp_path: Any):
        frame = pd.DataFrame(
            {"n": [1, 2], "s": ["x", None], "t": pd.to_datetime(["2026-01-02", None]), "x": [b"a", b""]}
        )
        frame.to_parquet(tmp_path / "table")
        found = self.read((tmp_path / "table").read_bytes(), Form.PARQUET, models.TYPED).data
        assert found["n"].tolist() == [1, 2]
        assert found["s"].tolist()[0] == "x"
        assert found["t"][0] == pd.Timestamp("2026-01-02")
        assert found["x"].tolist() == [b"a", b""]

    @pytest.mark.parametrize("cut", [0, 4, 100, -8, -1])
    def test_bad_parquet(self, tmp_path: Any, cut: int):
        pd.DataFrame({"a": [1.0], "b": [2.0]}).to_parquet(tmp_path / "table")
        assert "Parquet" in self.refusal((tmp_path / "table").read_bytes()[:cut], Form.PARQUET)

    def test_a_small_file_of_many_rows(self, tmp_path: Any):
        pd.DataFrame({"a": np.zeros(3_000_000), "b": np.zeros(3_000_000)}).to_parquet(tmp_path / "table")
        assert "at most 1000" in self.refusal((tmp_path / "table").read_bytes(), Form.PARQUET)

    def test_a_fraction_for_an_integer(self, tmp_path: Any):
        pd.DataFrame({"n": [1.5]}).to_parquet(tmp_path / "table")
        assert "table.n must be integers" in self.refusal((tmp_path / "table").read_bytes(), Form.PARQUET, models.TYPED)


class TestUnwrapped:
    """Data under the keys of language models."""

    def test_is_for_models_with_such_a_column(self):
        request = JsonRequest(b'{"prompt": "x", "k": 3, "z": 1}', MLFLOW)
        given, params = request.read(models.PROMPT)
        assert (given.data.to_dict("list"), params, request.wrapped) == ({"prompt": ["x"]}, {"k": 3}, False)
        assert refusal(models.TWO, {"prompt": "x"})["error_code"] == "BAD_REQUEST"

    def test_names_fields_without_a_format(self):
        assert refusal(models.PROMPT, {"prompt": 3})["errors"][0]["field"] == "body.0.prompt"

    def test_goes_as_it_is_to_a_model_that_declares_nothing(self):
        messages = {"messages": [{"role": "user", "content": "x"}]}
        given = read(models.UNDECLARED, messages)
        assert given.data == messages
        assert given.layout is None


class TestContentTypes:
    """The forms of a body."""

    @pytest.mark.parametrize(
        "value", [None, "", "application/json", 'application/json; charset="utf-8"', "APPLICATION/JSON"]
    )
    def test_json(self, value: str | None):
        assert form_of(value) is Form.JSON

    @pytest.mark.parametrize(
        "value",
        [
            "text/plain",
            "text/csv; header=present",
            "application/json; charset=latin-1",
            "application/json; charset*=utf-8''x",
            "application/json; charset*=x",
            ";",
            "x",
        ],
    )
    def test_others(self, value: str):
        with pytest.raises(UnsupportedMediaType) as caught:
            form_of(value)
        assert render_error(caught.value, "r").content_type.startswith("text/plain")


def test_a_compressed_body_is_no_json():
    assert refusal(models.TWO, gzip.compress(b"{}"))["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize("text", ["\u00e9", "a", "\U0001f600", "YQ==\n"])
def test_text_that_is_no_base64_is_named(text: str):
    model = models.model_of(ColSpec("binary", "x"))
    assert refusal(model, {"inputs": {"x": [text]}})["errors"][0]["field"] == "inputs.x.0"


def test_a_list_column_of_one_column_keeps_its_lists():
    model = models.model_of(ColSpec(models.Array(models.DataType.long), "ids"))
    assert read(model, {"inputs": [[1, 2], [3]]}).data["ids"].tolist() == [[1, 2], [3]]
