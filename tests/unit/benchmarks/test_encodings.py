import numpy as np
import orjson
import pytest

from benchmarks.serving.encodings import BINARY, ENCODINGS, NATIVE, ROWS, SPLIT, TENSORS

COLUMNS = ("a", "b")
MATRIX = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]]


class TestWrite:
    def test_split(self):
        message = SPLIT.write("m", COLUMNS, MATRIX)
        assert orjson.loads(message.body) == {"dataframe_split": {"columns": ["a", "b"], "data": MATRIX}}

    def test_native_names_the_model(self):
        assert orjson.loads(NATIVE.write("m", COLUMNS, MATRIX).body) == {"model": "m", "inputs": MATRIX}

    def test_tensor_is_row_major(self):
        tensor = orjson.loads(TENSORS.write("m", COLUMNS, MATRIX).body)["inputs"][0]
        assert (tensor["shape"], tensor["datatype"]) == ([3, 2], "FP64")
        assert tensor["data"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.5]

    def test_binary_puts_the_bytes_behind_the_header(self):
        message = BINARY.write("m", COLUMNS, MATRIX)
        length = int(message.headers["Inference-Header-Content-Length"])
        header = orjson.loads(message.body[:length])
        assert header["inputs"][0]["parameters"]["binary_data_size"] == 48
        assert np.frombuffer(message.body[length:], "<f8").reshape(3, 2).tolist() == MATRIX

    @pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
    def test_every_message_says_what_it_is(self, encoding):
        assert "Content-Type" in encoding.write("m", COLUMNS, MATRIX).headers


class TestRead:
    def test_predictions(self):
        assert SPLIT.read({}, b'{"predictions":[0,1]}') == [0, 1]

    @pytest.mark.parametrize("body", [b'{"output":[0,1]}', b"[0,1]"])
    def test_rows(self, body):
        assert ROWS.read({}, body) == [0, 1]

    def test_tensor_as_json(self):
        body = b'{"outputs":[{"name":"o","shape":[2,1],"datatype":"INT64","data":[[0],[1]]}]}'
        assert TENSORS.read({}, body) == [0, 1]

    def test_tensor_as_bytes(self):
        header = b'{"outputs":[{"name":"o","shape":[2],"datatype":"INT64","parameters":{"binary_data_size":16}}]}'
        body = header + np.array([7, 8], "<i8").tobytes()
        assert BINARY.read({"inference-header-content-length": str(len(header))}, body) == [7, 8]
