"""The requests that both servers are asked, and the only places where their answers may differ."""

import io
import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Row:
    """A request.

    Attributes:
        name: Of the test.
        model: Which one of `models.py`.
        body: As bytes.
        content_type: None for none at all.
        ours: Where the answers differ: our status, and the `error_code` or the body.
        why: The reason.
    """

    name: str
    model: str
    body: bytes
    content_type: str | None = JSON
    ours: tuple[int, Any] | None = None
    why: str = ""


def _row(name: str, model: str, body: Any, content_type: str | None = JSON, *, ours: Any = None, why: str = "") -> Row:
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return Row(name, model, content, content_type, ours, why)


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def _split(columns: Any, data: Any, **more: Any) -> dict[str, Any]:
    return {"dataframe_split": {"columns": columns, "data": data, **more}}


AB = ["a", "b"]
GOOD = {"inputs": {"a": [1], "b": [2]}}
THIRTY = [f"f{i}" for i in range(30)]
VALUES = [[(i * 7 + row) % 11 / 3 for i in range(30)] for row in range(3)]
BAD, INVALID = "BAD_REQUEST", "INVALID_PARAMETER_VALUE"
STRICT = "a value is never converted with a loss or a guess"
SUPERSET = "what the stock server refuses has one meaning only, so it is answered"
NULL = "bare NaN is no JSON"
TWICE = "of two values under one name, neither can be known to be meant"
CONVERSION = "the code of a value that cannot be converted, also where the stock server only finds out later"

ROWS = [
    _row("split", "logistic", _split(THIRTY, VALUES)),
    _row("split of many rows", "logistic", _split(THIRTY, VALUES * 100)),
    _row("split in another order", "logistic", _split(THIRTY[::-1], VALUES)),
    _row("records", "logistic", {"dataframe_records": [dict(zip(THIRTY, row, strict=True)) for row in VALUES]}),
    _row("inputs by column", "logistic", {"inputs": {n: [r[i] for r in VALUES] for i, n in enumerate(THIRTY)}}),
    _row("instances by row", "logistic", {"instances": [dict(zip(THIRTY, row, strict=True)) for row in VALUES]}),
    _row("csv", "logistic", pd.DataFrame(VALUES, columns=THIRTY).to_csv(index=False).encode(), CSV),
    _row("parquet", "logistic", _parquet(pd.DataFrame(VALUES, columns=THIRTY)), PARQUET),
    _row("one row", "linear", _split(AB, [[1.5, -2]])),
    _row("tiny and huge answers", "linear", _split(AB, [[1e-9, 0], [1e20, 0], [0, 0]])),
    _row("null for a double, and a model that knows none", "linear", _split(AB, [[None, 2]])),
    # dataframe_split
    _row("index", "two", _split(AB, [[1, 2]], index=[7])),
    _row("other order", "two", _split(["b", "a"], [[1, 2]])),
    _row(
        "no rows", "linear", _split(AB, []), ours=(200, {"predictions": []}), why="a model has nothing to say of none"
    ),
    _row("split without columns", "two", {"dataframe_split": {"data": [[1, 2]]}}),
    _row("split without data", "two", {"dataframe_split": {"columns": AB}}),
    _row("split with another key", "two", _split(AB, [[1, 2]], x=1)),
    _row("split as a list", "two", {"dataframe_split": [1]}),
    _row("split as null", "two", {"dataframe_split": None}),
    _row("split with a short row", "two", _split(AB, [[1]]), ours=(400, INVALID), why="a row does not fit the columns"),
    _row("missing column", "two", _split(["a"], [[1]])),
    _row("extra column", "two", _split(["a", "b", "c"], [[1, 2, 3]])),
    _row("extra column of text", "two", _split(["a", "b", "c"], [[1, 2, "x"]])),
    _row("column twice", "two", _split(["a", "b", "a"], [[1, 2, 3]])),
    _row("index of another length", "two", _split(AB, [[1, 2]], index=[7, 8]), ours=(400, BAD), why="it repeats rows"),
    _row("rows that are no lists", "two", _split(AB, [1, 2])),
    # dataframe_records
    _row("records as an object", "two", {"dataframe_records": {}}),
    _row("records of numbers", "two", {"dataframe_records": [1]}, ours=(400, BAD), why="the form is wrong"),
    _row("no records", "linear", {"dataframe_records": []}, ours=(200, {"predictions": []}), why="as for split"),
    _row("record without a column", "two", {"dataframe_records": [{"a": 1}]}),
    _row("record with another column", "two", {"dataframe_records": [{"a": 1, "b": 2, "z": 1}]}),
    _row(
        "one record without a column",
        "two",
        {"dataframe_records": [{"a": 1, "b": 2}, {"a": 1}]},
        ours=(400, INVALID),
        why="a required column is not filled up with NaN",
    ),
    # instances and inputs
    _row("instances by column", "two", {"instances": {"a": [1], "b": [2]}}),
    _row("instances as records", "two", {"instances": [{"a": 1, "b": 2}]}),
    _row("instances of rows", "linear", {"instances": [[1, 2]]}, ours=(200, None), why=SUPERSET),
    _row("instances of numbers", "two", {"instances": [1, 2]}, ours=(400, BAD), why=CONVERSION),
    _row("instances as a number", "two", {"instances": 3}, ours=(400, BAD), why=CONVERSION),
    _row("no instances", "linear", {"instances": []}, ours=(200, {"predictions": []}), why="as for split"),
    _row("inputs as scalars", "two", {"inputs": {"a": 1, "b": 2}}),
    _row("inputs as records", "two", {"inputs": [{"a": 1, "b": 2}]}),
    _row("inputs of rows", "linear", {"inputs": [[1, 2]]}, ours=(200, None), why=SUPERSET),
    _row("inputs as a number", "two", {"inputs": 3}, ours=(400, BAD), why=CONVERSION),
    _row("inputs as text", "two", {"inputs": "abc"}),
    _row("inputs as null", "two", {"inputs": None}, ours=(400, BAD), why=CONVERSION),
    _row("inputs of different lengths", "two", {"inputs": {"a": [1, 2], "b": [2]}}),
    _row("inputs too deep", "two", {"inputs": {"a": [[1]], "b": [[2]]}}, ours=(400, BAD), why=CONVERSION),
    _row("inputs without columns", "two", {"inputs": {}}),
    # params
    _row("params", "two", GOOD | {"params": {"k": 3}}),
    _row("undeclared params", "two", GOOD | {"params": {"z": 3}}),
    _row("params of another type", "two", GOOD | {"params": {"k": "x"}}),
    _row("params as a list", "two", GOOD | {"params": [1]}),
    _row("params as null", "two", GOOD | {"params": None}),
    _row("params of a model without any", "linear", _split(AB, [[1, 2]]) | {"params": {"k": 3}}),
    # the envelope
    _row("two formats", "two", GOOD | {"instances": []}),
    _row("no format", "two", {"foo": 1}),
    _row("another key", "two", GOOD | {"foo": 1}),
    _row("a list at the top", "two", [1]),
    _row("a number at the top", "two", "3"),
    _row("null at the top", "two", "null"),
    _row("no JSON", "two", "{"),
    _row("nothing", "two", ""),
    _row("no UTF-8", "two", b'{"inputs": {"a": ["\xff"]}}'),
    _row("a key twice", "two", '{"inputs": {"a": [1], "a": [2], "b": [3]}}', ours=(400, BAD), why=TWICE),
    _row(
        "a key twice in a record",
        "two",
        '{"dataframe_records": [{"a": 1, "a": 2, "b": 3}]}',
        ours=(400, BAD),
        why=TWICE,
    ),
    # content types
    _row("charset", "two", GOOD, "application/json; charset=utf-8"),
    _row("charset in capitals", "two", GOOD, "application/json;charset=UTF-8"),
    _row("other charset", "two", GOOD, "application/json; charset=utf-16"),
    _row("other parameter", "two", GOOD, "application/json; q=1"),
    _row("other type", "two", GOOD, "text/plain"),
    _row("type in capitals", "two", GOOD, "Application/JSON", ours=(200, None), why="media types have no case"),
    _row("no type", "linear", GOOD, None, ours=(200, None), why="the stock server fails; JSON is what it means"),
    # values
    _row("integers for doubles", "two", _split(AB, [[1, 2]])),
    _row("text for a double", "two", _split(AB, [["2.5", 2]]), ours=(400, BAD), why=STRICT),
    _row("text that is no number", "two", _split(AB, [["x", 2]])),
    _row("true for a double", "two", _split(AB, [[True, 2]]), ours=(400, BAD), why=STRICT),
    _row("null for a double", "two", _split(AB, [[None, 2]])),
    _row("NaN", "two", '{"dataframe_split": {"columns": ["a", "b"], "data": [[NaN, 2]]}}'),
    _row(
        "Infinity",
        "two",
        '{"dataframe_split": {"columns": ["a", "b"], "data": [[Infinity, 2]]}}',
        ours=(400, BAD),
        why="an infinity is no value of a table",
    ),
    _row("number beyond a double", "two", f'{{"inputs": {{"a": [1{"0" * 400}], "b": [2]}}}}'),
    _row("fraction for an integer", "typed", _split(["n"], [[1.9]]), ours=(400, BAD), why=STRICT),
    _row("whole float for an integer", "typed", _split(["n"], [[2.0]])),
    _row("null for an integer", "typed", _split(["n"], [[None]])),
    _row("text for an integer", "typed", _split(["n"], [["7"]]), ours=(400, BAD), why=STRICT),
    _row("true for an integer", "typed", _split(["n"], [[True]]), ours=(400, BAD), why=STRICT),
    _row("integer beyond 64 bits", "typed", _split(["n"], [[2**63]]), ours=(400, BAD), why="it comes out negative"),
    _row("number for text", "typed", _split(["n", "s"], [[1, 2]]), ours=(400, BAD), why=STRICT),
    _row("null for text", "typed", _split(["n", "s"], [[1, None]])),
    _row("text", "typed", _split(["n", "s"], [[1, "a:b"], [2, "é"]])),
    _row("number for a boolean", "typed", _split(["n", "b"], [[1, 1]]), ours=(400, BAD), why=STRICT),
    _row("boolean", "typed", _split(["n", "b"], [[1, True]])),
    _row("float32", "typed", _split(["n", "f"], [[1, 0.1]])),
    _row("datetime", "typed", _split(["n", "t"], [[1, "2026-01-02T03:04:05"]])),
    _row("text that is no datetime", "typed", _split(["n", "t"], [[1, "yesterday"]])),
    _row("list column", "lists", {"dataframe_records": [{"ids": [1, 2], "s": "a"}, {"ids": []}]}),
    # kinds of signature
    _row("only column, unnamed", "prompt", {"inputs": ["abc"]}),
    _row("only column, by name", "prompt", {"inputs": {"prompt": "abc"}}),
    _row("only column, in instances", "prompt", {"instances": ["abc"]}),
    _row("only column, one value", "prompt", {"inputs": "abc"}, ours=(200, None), why=SUPERSET),
    _row("unwrapped", "prompt", {"prompt": "hi"}),
    _row("unwrapped with a parameter", "prompt", {"prompt": "x", "k": 4}),
    _row("unwrapped with another key", "prompt", {"prompt": "x", "z": 4}),
    _row("unwrapped of another type", "prompt", {"prompt": 3}, ours=(400, BAD), why=CONVERSION),
    _row("unwrapped list for text", "prompt", {"prompt": ["a"]}, ours=(400, BAD), why=STRICT),
    _row("unwrapped under another key", "prompt", {"input": "x"}, ours=(400, BAD), why="it is no format of this model"),
    _row("unwrapped for a table", "two", {"prompt": "x"}, ours=(400, BAD), why="it is no format of this model"),
    _row(
        "a table beside the key of a language model",
        "linear",
        GOOD | {"prompt": "x"},
        ours=(200, None),
        why="a key that the model does not have is passed over, as any other",
    ),
    _row("unnamed columns in split", "unnamed", {"dataframe_split": {"data": [[1, 2]]}}),
    _row("unnamed columns in inputs", "unnamed", {"inputs": [[1, 2]]}),
    _row("unnamed columns in instances", "unnamed", {"instances": [[1, 2]]}),
    _row("unnamed columns by name", "unnamed", {"inputs": {"a": [1], "b": [2]}}),
    _row(
        "unnamed columns, one too many",
        "unnamed",
        {"dataframe_split": {"data": [[1, 2, 3]]}},
        ours=(400, INVALID),
        why="without names nobody knows which is the extra one",
    ),
    _row("tensor in inputs", "tensor", {"inputs": [[1, 2]]}),
    _row("tensor in instances", "tensor", {"instances": [[1, 2]]}),
    _row("tensor in split", "tensor", _split(AB, [[1, 2]])),
    _row("tensor in records", "tensor", {"dataframe_records": [{"a": 1, "b": 2}]}),
    _row("tensor of another shape", "tensor", {"inputs": [[1, 2, 3]]}),
    _row("tensor of text", "tensor", {"inputs": [["1", 2]]}, ours=(400, BAD), why=STRICT),
    _row("ragged tensor", "tensor", {"inputs": [[1, 2], [3]]}),
    _row("tensor by name for one without", "tensor", {"inputs": {"a": [[1, 2]]}}),
    _row("tensor as a number", "tensor", {"inputs": 3}, ours=(400, BAD), why=CONVERSION),
    _row("named tensors", "tensors", {"inputs": {"x": [[1, 2]], "y": [1]}}),
    _row("named tensors by row", "tensors", {"instances": [{"x": [1, 2], "y": 1}, {"x": [3, 4], "y": 2}]}),
    _row("named tensors in split", "tensors", _split(["x", "y"], [[[1, 2], 3]])),
    _row("named tensor missing", "tensors", {"inputs": {"x": [[1, 2]]}}),
    _row("undeclared split", "undeclared", _split(AB, [[1, 2]])),
    _row("undeclared records", "undeclared", {"dataframe_records": [{"a": 1}]}),
    _row("undeclared numbers", "undeclared", {"inputs": [[1, 2]]}),
    _row("undeclared number", "undeclared", {"inputs": 3}),
    _row("undeclared unwrapped", "undeclared", {"messages": [{"role": "user", "content": "x"}]}),
    # CSV and Parquet
    _row("csv with another column", "two", "a,b,c\n1,2,3\n", CSV),
    _row("csv without a column", "two", "a\n1\n", CSV),
    _row("csv with text for a number", "two", "a,b\n1,x\n", CSV),
    _row("csv with nothing for a number", "two", "a,b\n1,\n", CSV),
    _row("csv with a fraction for an integer", "typed", "n\n1.9\n", CSV),
    _row("csv with text", "typed", "n,s\n1,x\n2,\n", CSV),
    _row("csv without rows", "linear", "a,b\n", CSV, ours=(200, {"predictions": []}), why="as for split"),
    _row("csv of nothing", "two", "", CSV),
    _row("csv that is no UTF-8", "two", b"a,b\n\xff,2\n", CSV),
    _row("csv with a column twice", "two", "a,b,a\n1,2,3\n", CSV, ours=(400, INVALID), why=TWICE),
    _row("csv with a value too many", "two", "a,b\n1,2,3\n", CSV, ours=(400, BAD), why="it shifts the columns"),
    _row("parquet with another column", "two", _parquet(pd.DataFrame({"a": [1.0], "b": [2.0], "c": ["x"]})), PARQUET),
    _row("parquet of integers", "typed", _parquet(pd.DataFrame({"n": [1, 2], "s": ["x", None]})), PARQUET),
    _row("parquet without a column", "two", _parquet(pd.DataFrame({"a": [1.0]})), PARQUET),
    _row("parquet cut off", "two", b"PAR1", PARQUET),
    # answers
    *(
        _row(f"answer: {which}", "answer", {"inputs": {"which": [which]}})
        for which in ("series", "numbers", "plain numbers", "float32", "text", "dict", "scalar", "else")
    ),
    _row(
        "answer: frame",
        "answer",
        {"inputs": {"which": ["frame"]}},
        ours=(
            200,
            {
                "predictions": [
                    {"a": 1.5, "b": "x", "t": "2026-01-02T00:00:00"},
                    {"a": None, "b": None, "t": "2026-01-03T00:00:00"},
                ]
            },
        ),
        why=NULL,
    ),
    _row(
        "answer: fault",
        "answer",
        {"inputs": {"which": ["fault"]}},
        ours=(500, "INTERNAL_ERROR"),
        why="a fault of the model is none of the caller's",
    ),
]
