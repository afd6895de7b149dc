"""How rows are written into a request, and how predictions are read from its answer, in each protocol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

JSON = {"Content-Type": "application/json"}
HEADER_LENGTH = "Inference-Header-Content-Length"
TENSOR = "input-0"
DATATYPES = {"INT32": np.int32, "INT64": np.int64, "FP32": np.float32, "FP64": np.float64}
Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Message:
    """The body of a request, and the headers that say how to read it."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Encoding:
    """A protocol.

    Attributes:
        name: What reports call it.
        write: Makes a message of the model's name, the columns' names and the rows.
        read: Takes the predictions out of the headers (names in lower case) and the body of an answer.
    """

    name: str
    write: Callable[[str, Sequence[str], Rows], Message]
    read: Callable[[Mapping[str, str], bytes], list[float]]


def _write_split(_: str, columns: Sequence[str], rows: Rows) -> Message:
    return Message(orjson.dumps({"dataframe_split": {"columns": list(columns), "data": rows}}), JSON)


def _read_predictions(_: Mapping[str, str], body: bytes) -> list[float]:
    return list(orjson.loads(body)["predictions"])


def _write_rows(_: str, __: Sequence[str], rows: Rows) -> Message:
    return Message(orjson.dumps({"input": rows}), JSON)


def _read_output(_: Mapping[str, str], body: bytes) -> list[float]:
    answer = orjson.loads(body)
    return list(answer["output"] if isinstance(answer, dict) else answer)


def _write_native(model: str, _: Sequence[str], rows: Rows) -> Message:
    return Message(orjson.dumps({"model": model, "inputs": rows}), JSON)


def _write_tensor(_: str, __: Sequence[str], rows: Rows) -> Message:
    shape = [len(rows), len(rows[0])]
    data = [value for row in rows for value in row]
    tensor = {"name": TENSOR, "shape": shape, "datatype": "FP64", "data": data}
    return Message(orjson.dumps({"inputs": [tensor]}), JSON)


def _write_binary(_: str, __: Sequence[str], rows: Rows) -> Message:
    raw = np.asarray(rows, dtype="<f8").tobytes()
    tensor = {
        "name": TENSOR,
        "shape": [len(rows), len(rows[0])],
        "datatype": "FP64",
        "parameters": {"binary_data_size": len(raw)},
    }
    header = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    return Message(header + raw, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(header))})


def _read_tensor(headers: Mapping[str, str], body: bytes) -> list[float]:
    length = int(headers.get(HEADER_LENGTH.lower(), len(body)))
    output = orjson.loads(body[:length])["outputs"][0]
    if "data" in output:
        return list(np.asarray(output["data"]).ravel())
    return list(np.frombuffer(body[length:], dtype=DATATYPES[output["datatype"]]))


SPLIT = Encoding("MLflow split", _write_split, _read_predictions)
NATIVE = Encoding("native", _write_native, _read_predictions)
ROWS = Encoding("JSON rows", _write_rows, _read_output)
TENSORS = Encoding("V2 JSON", _write_tensor, _read_tensor)
BINARY = Encoding("V2 binary", _write_binary, _read_tensor)
ENCODINGS = {encoding.name: encoding for encoding in (SPLIT, NATIVE, ROWS, TENSORS, BINARY)}
