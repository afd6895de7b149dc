"""CSV bodies made to cost much."""

import numpy as np
import pytest
from mlflow.types.schema import DataType

from mlplatform.errors import BadRequest
from services.model_serving.dataplane import LARGE_BODY
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.mlflow_scoring import csv_table
from services.model_serving.protocols.mlflow_scoring.content_type import Form
from services.model_serving.protocols.mlflow_scoring.csv_table import read_csv
from services.model_serving.protocols.mlflow_scoring.table_request import TableRequest
from services.model_serving.signature import MLFLOW
from tests.unit.model_serving.protocols import models

WIDE = {f"c{i}": DataType.double for i in range(600)}


def fields(body: str, kinds: dict[str, DataType], max_rows: int = 100) -> list[str]:
    """Return the fields for which a body is refused."""
    with pytest.raises(InvalidInputs) as caught:
        read_csv(body.encode(), kinds, max_rows)
    return [error.field for error in caught.value.errors]


class TestCulprits:
    """Which columns cannot be converted."""

    def test_takes_one_more_parse_however_many_columns(self, monkeypatch: pytest.MonkeyPatch):
        parses = []
        parse = csv_table.pd.read_csv
        monkeypatch.setattr(csv_table.pd, "read_csv", lambda *a, **k: parses.append(1) or parse(*a, **k))
        rows = [["1"] * 600, ["1"] * 599 + ["x"]]
        assert fields("\n".join(map(",".join, [list(WIDE), *rows])), WIDE) == ["body.inputs.c599"]
        assert len(parses) == 2

    def test_are_twenty_at_most(self):
        assert len(fields(",".join(WIDE) + "\n" + ",".join(["x"] * 600), WIDE)) == 20

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (DataType.long, "1.5"),
            (DataType.long, ""),
            (DataType.integer, "x"),
            (DataType.float, "x"),
            (DataType.boolean, "yes"),
        ],
    )
    def test_are_found_for_each_type(self, kind: DataType, value: str):
        assert fields(f"a,b\n1,{value}\n", {"a": DataType.long, "b": kind}) == ["body.inputs.b"]

    def test_integers_do_not_wrap(self):
        found = read_csv(b"a\n3000000000\n", {"a": DataType.integer}, 10)
        assert found["a"].tolist() == [3_000_000_000]


class TestHeaders:
    """Names without end."""

    @pytest.mark.parametrize("kinds", [{}, WIDE])
    def test_too_many_are_refused_before_the_table_is_read(self, kinds: dict[str, DataType]):
        header = ",".join(f"x{i}" for i in range(30_000))
        assert fields(f"{header}\n1\n", kinds) == ["body.inputs.columns"]

    def test_empty_lines_of_a_wide_table_are_counted(self):
        body = ",".join(WIDE) + "\n" + ",\n" * 100_000
        assert fields(body, WIDE, 100_000) == ["body.inputs.rows"]

    def test_a_line_longer_than_the_header_is_refused(self):
        with pytest.raises(BadRequest):
            read_csv(b"a\n1,2\n", {"a": DataType.double}, 10)


def test_a_table_is_always_read_in_a_thread():
    assert TableRequest(b"a\n1\n", Form.CSV, MLFLOW, 10).size == LARGE_BODY


def test_unknown_columns_are_passed_over():
    request = TableRequest(b"a,x,b\n1,y,2\n", Form.CSV, MLFLOW, models.MAX_ROWS)
    assert np.array_equal(request.read(models.TWO)[0].data.to_numpy(), [[1.0, 2.0]])
