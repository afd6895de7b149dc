"""Bodies of the Open Inference Protocol: what is refused, and in whose words."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from mlplatform.errors import PlatformError
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.protocols.open_inference.errors import render_error
from services.model_serving.protocols.open_inference.infer_body import InferBody
from services.model_serving.signature import ModelInput
from tests.unit.model_serving.protocols import models

BIG = 10**30


def tensor(
    name: str = "a", datatype: str = "FP64", shape: Any = (1,), data: Any = (1.0,), **more: Any
) -> dict[str, Any]:
    """Return an input."""
    found = {"name": name, "datatype": datatype, "shape": shape, "data": data} | more
    return {key: value for key, value in found.items() if value is not ...}


def body_of(*inputs: Any, **more: Any) -> bytes:
    """Return a request in JSON."""
    return json.dumps({"inputs": list(inputs)} | more).encode()


def binary(content: bytes, *inputs: tuple[str, str, list[int], int], **more: Any) -> tuple[bytes, str]:
    """Return a request with tensors behind its JSON, and the header."""
    described = [
        {"name": name, "datatype": kind, "shape": shape, "parameters": {"binary_data_size": size}}
        for name, kind, shape, size in inputs
    ]
    text = json.dumps({"inputs": described} | more).encode()
    return text + content, str(len(text))


def read(model: LoadedModel, body: bytes, header: str | None = None) -> ModelInput:
    """Read a body that fits."""
    return InferBody(body, header).read(model)[0]


def refusal(model: LoadedModel, body: bytes, header: str | None = None) -> str:
    """Read a body that does not fit; return the error."""
    with pytest.raises(PlatformError) as caught:
        read(model, body, header)
    answer = render_error(caught.value, "r")
    assert answer.status == 400
    content = json.loads(answer.body)
    assert set(content) == {"error"}
    return content["error"]


B = tensor("b")


class TestJson:
    """Requests whose values are in the JSON."""

    @pytest.mark.parametrize(
        ("inputs", "field"),
        [
            ([tensor(data=["secret"]), B], "inputs.a.data.0"),
            ([tensor(data=[True]), B], "inputs.a.data.0"),
            ([tensor(data=[1, 2]), B], "inputs.a.data"),
            ([tensor(data=[[1]]), B], "inputs.a.data"),
            ([tensor(shape=[2, 1], data=[[1], [2], [3]]), B], "inputs.a.data"),
            ([tensor(shape=[2, 2], data=[[1, 2], [3]]), B], "inputs.a.data"),
            ([tensor(shape=[2, 2], data=[[1, 2], 3]), B], "inputs.a.data"),
            ([tensor(shape=[1, 1, 2], data=[[1, 2]]), B], "inputs.a.data"),
            ([tensor(data=1.0), B], "inputs.a.data"),
            ([tensor(data=None), B], "inputs.a.data"),
            ([tensor(data=...), B], "inputs.a"),
            ([tensor(shape=...), B], "inputs.a.shape"),
            ([tensor(shape=[-1]), B], "inputs.a.shape"),
            ([tensor(shape=[1.0]), B], "inputs.a.shape"),
            ([tensor(shape=[True]), B], "inputs.a.shape"),
            ([tensor(shape=[2**50, 0], data=[]), B], "inputs.a.shape"),
            ([tensor(shape=[BIG], data=[]), B], "inputs.a.shape"),
            ([tensor(shape=[1] * 17), B], "inputs.a.shape"),
            ([tensor(datatype="FP65"), B], "inputs.a.datatype"),
            ([tensor(datatype=None), B], "inputs.a.datatype"),
            ([tensor(datatype="FP16"), B], "inputs.a.data"),
            ([tensor(datatype="INT8", data=[300]), B], "inputs.a.data"),
            ([tensor(datatype="UINT8", data=[-1]), B], "inputs.a.data"),
            ([tensor(datatype="INT64", data=[2**70]), B], "inputs.a.data.0"),
            ([tensor(datatype="FP32", data=[1e300]), B], "inputs.a.data"),
            ([tensor(datatype="BYTES", data=["x"]), B], "inputs.a"),
            ([tensor(parameters=[]), B], "inputs.a.parameters"),
            ([tensor(parameters={"x": []}), B], "inputs.a.parameters"),
            ([tensor(parameters={"binary_data_size": 8}), B], "inputs.a"),
            ([tensor(data=..., parameters={"binary_data_size": -8}), B], "inputs.a.parameters.binary_data_size"),
            ([tensor(data=..., parameters={"binary_data_size": True}), B], "inputs.a.parameters.binary_data_size"),
            ([tensor(data=..., parameters={"binary_data_size": 8}), B], "inputs.a.parameters.binary_data_size"),
            ([tensor(data=..., parameters={"shared_memory_region": "r"}), B], "shared_memory_region"),
            ([tensor(), tensor()], "inputs"),
            ([tensor()], "inputs"),
            ([tensor(), B, tensor("c")], "inputs"),
            ([tensor(), tensor("b", shape=[2], data=[1, 2])], "inputs"),
            ([tensor(""), B], "inputs.0"),
            ([tensor("\n" * 9, datatype="x"), B], "inputs.0.datatype"),
            ([3], "inputs.0"),
            ([], "inputs"),
            ([tensor("t", shape=[1, 3], data=[1, 2, 3])], "inputs"),
        ],
    )
    def test_refusals_name_the_field(self, inputs: Any, field: str):
        error = refusal(models.TWO, body_of(*inputs))
        assert field in error
        assert "secret" not in error

    @pytest.mark.parametrize(
        "more",
        [
            {"id": 3},
            {"parameters": 3},
            {"parameters": {"x": {}}},
            {"parameters": {"binary_data_output": 1}},
            {"parameters": {"k": "x"}},
            {"outputs": 3},
            {"outputs": [3]},
            {"outputs": [{"name": "x"}, {"name": "x"}]},
            {"outputs": [{"name": "x", "parameters": {"binary_data": "yes"}}]},
            {"outputs": [{"name": "x", "parameters": {"classification": 3}}]},
        ],
    )
    def test_refusals_beside_the_inputs(self, more: Any):
        (key,) = more
        assert refusal(models.TWO, body_of(tensor(), B, **more)).startswith(key)

    @pytest.mark.parametrize("number", ["1e999", "1" * 400, "-1e999"])
    def test_names_an_infinity(self, number: str):
        body = body_of(tensor(), B).replace(b"1.0", number.encode(), 1)
        assert refusal(models.TWO, body).startswith("inputs.a.data must be finite")

    @pytest.mark.parametrize("body", [b"", b"[]", b"3", b"NaN", b'{"inputs": [NaN]}', b"{" * 10, b"[" * 9999])
    def test_refuses_what_is_no_request(self, body: bytes):
        refusal(models.TWO, body)

    def test_refuses_a_key_twice(self):
        body = body_of(tensor(), B).replace(b'"shape"', b'"shape": [7], "shape"', 1)
        assert "twice" in refusal(models.TWO, body)

    def test_too_many_rows(self):
        rows = models.MAX_ROWS + 1
        assert "at most 1000" in refusal(models.TWO, body_of(tensor("t", shape=[rows, 2], data=[0.5] * rows * 2)))

    def test_types_are_named_as_the_protocol_does(self):
        error = refusal(models.TWO, body_of(tensor(datatype="BOOL", data=[True]), B))
        assert error == "inputs.a holds BOOL; the model takes numbers"

    def test_tables_go_by_position_and_columns_by_name(self):
        found = read(models.TWO, body_of(tensor("t", shape=[1, 2], data=[[1, 2]]))).data
        assert found.to_dict("list") == {"a": [1.0], "b": [2.0]}
        found = read(models.TWO, body_of(tensor("b", data=[2]), tensor("a", data=[1]))).data
        assert found.to_dict("list") == {"a": [1.0], "b": [2.0]}
        found = read(models.UNNAMED, body_of(tensor("t", shape=[1, 2], data=[1, 2]))).data
        assert found.to_numpy().tolist() == [[1.0, 2.0]]

    def test_no_signature(self):
        assert read(models.UNDECLARED, body_of(tensor(shape=[1, 1], data=[1]))).data.tolist() == [[1.0]]
        as_table = body_of(tensor(shape=[1, 1], data=[1]), parameters={"content_type": "pd"})
        assert read(models.UNDECLARED, as_table).data.to_dict("list") == {"a": [1.0]}


class TestBinary:
    """Requests whose values follow the JSON."""

    def test_any_place_in_the_body(self):
        values = np.arange(6.0).reshape(3, 2)
        for pad in range(9):
            body, header = binary(values.tobytes(), ("t", "FP64", [3, 2], 48), id="x" * pad)
            found = read(models.TWO, body, header)
            assert found.matrix is not None
            np.testing.assert_array_equal(found.matrix, values)
            assert found.matrix.flags.writeable
            assert found.matrix.flags.aligned

    @pytest.mark.parametrize("header", ["-1", "x", "", "1e3", "99999", "9" * 30, "٣", "+5"])
    def test_lying_headers(self, header: str):
        body, _ = binary(bytes(16), ("t", "FP64", [1, 2], 16))
        assert "Inference-Header-Content-Length" in refusal(models.TWO, body, header)

    @pytest.mark.parametrize("shift", [-20, -1, 1, 8])
    def test_a_header_that_cuts_in_the_wrong_place(self, shift: int):
        body, header = binary(bytes(16), ("t", "FP64", [1, 2], 16))
        refusal(models.TWO, body, str(int(header) + shift))

    @pytest.mark.parametrize(
        ("content", "kind", "shape", "size", "says"),
        [
            (bytes(15), "FP64", [1, 2], 16, "only 15 bytes are left"),
            (bytes(17), "FP64", [1, 2], 16, "belong to no input"),
            (bytes(8), "FP64", [1, 2], 8, "asks for 16"),
            (bytes(16), "FP64", [1, 3], 16, "asks for 24"),
            (bytes(16), "FP64", [2**39, 2], 16, "asks for"),
            (bytes([2, 0]), "BOOL", [1, 2], 2, "0 or 1"),
            (np.array([np.inf, 0]).tobytes(), "FP64", [1, 2], 16, "infinity"),
            (b"", "BYTES", [2**40], 0, "elements of BYTES"),
            (struct.pack("<I", 5) + b"ab", "BYTES", [1], 6, "elements of BYTES"),
            (struct.pack("<I", 2**32 - 1), "BYTES", [1], 4, "elements of BYTES"),
            (struct.pack("<I", 0) * 2, "BYTES", [1], 8, "elements of BYTES"),
        ],
    )
    def test_lying_sizes(self, content: bytes, kind: str, shape: list[int], size: int, says: str):
        body, header = binary(content, ("t", kind, shape, size))
        assert says in refusal(models.TWO, body, header)

    def test_nan_is_a_missing_number(self):
        body, header = binary(np.array([np.nan, 1]).tobytes(), ("t", "FP64", [1, 2], 16))
        assert np.isnan(read(models.TWO, body, header).data["a"][0])

    def test_bytes_that_are_no_text(self):
        column = ("s", "BYTES", [1], 5)
        body, header = binary(struct.pack("<I", 1) + b"\xff" + np.array([1]).tobytes(), column, ("n", "INT64", [1], 8))
        assert refusal(models.TYPED, body, header) == "inputs.s must be text in UTF-8"

    @pytest.mark.parametrize("kind", ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"])
    def test_integers_of_all_widths(self, kind: str):
        dtype = np.dtype(kind.lower())
        body, header = binary(np.array([7], dtype=dtype).tobytes(), ("n", kind, [1], dtype.itemsize))
        assert read(models.TYPED, body, header).data["n"].tolist() == [7]

    def test_integers_that_the_model_cannot_hold(self):
        body, header = binary(np.array([2**63], dtype=np.uint64).tobytes(), ("n", "UINT64", [1], 8))
        assert refusal(models.TYPED, body, header) == "inputs.n must be within the range of INT64"

    def test_fifty_megabytes(self):
        rows = 3_200_000
        body, header = binary(bytes(rows * 16), ("t", "FP64", [rows, 2], rows * 16))
        assert "at most 1000" in refusal(models.TWO, body, header)
