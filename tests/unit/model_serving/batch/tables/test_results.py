"""Results of chunks as one file in each form: in order, with the errors in a column."""

import csv
import io
import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from services.model_serving.batch.tables.results import GROUP_SIZE, Format, from_object, schema_of, to_object, write

FIRST = pa.table({"item": [0, 1], "prediction": [1, None], "error": pa.array([None, 'a "b", c'], pa.string())})
SECOND = pa.table({"item": [2], "code": ["invalid_inputs"], "error": ["x: must be a number"]})
THIRD = pa.table({"item": [3], "prediction": [2.5], "error": pa.array([None], pa.string())})
ROWS = [
    {"item": 0, "prediction": 1.0, "code": None, "error": None},
    {"item": 1, "prediction": None, "code": None, "error": 'a "b", c'},
    {"item": 2, "prediction": None, "code": "invalid_inputs", "error": "x: must be a number"},
    {"item": 3, "prediction": 2.5, "code": None, "error": None},
]


def written(form: Format, chunks: Sequence[pa.Table] = (FIRST, SECOND, THIRD)) -> bytes:
    stored = [to_object(chunk) for chunk in chunks]
    schema = schema_of(from_object(content).schema for content in stored)
    return b"".join(write(form, schema, map(from_object, stored)))


class TestWrite:
    def test_long_answers_wait_for_no_full_row_group(self) -> None:
        long = pa.table({"item": [0], "prediction": ["x" * (GROUP_SIZE // 2)], "error": pa.array([None], pa.string())})
        content = b"".join(write("parquet", schema_of([long.schema]), [long] * 4))
        assert pq.ParquetFile(io.BytesIO(content)).num_row_groups == 2

    def test_parquet(self) -> None:
        assert pq.read_table(io.BytesIO(written("parquet"))).to_pylist() == ROWS

    def test_csv(self) -> None:
        rows = list(csv.DictReader(io.StringIO(written("csv").decode())))
        for column in ("code", "error"):
            assert [row[column] for row in rows] == [row[column] or "" for row in ROWS]
        assert [float(row["prediction"] or 0) for row in rows] == [1.0, 0.0, 0.0, 2.5]

    def test_jsonl(self) -> None:
        assert [json.loads(line) for line in written("jsonl").splitlines()] == ROWS

    def test_a_job_without_rows(self) -> None:
        empty = FIRST.slice(0, 0)
        assert pq.read_table(io.BytesIO(written("parquet", [empty]))).num_rows == 0
        assert written("csv", [empty]) == b'"item","prediction","code","error"\n'
        assert written("jsonl", [empty]) == b""

    def test_numbers_and_text_in_one_column_are_text(self) -> None:
        text = pa.table({"item": [1], "prediction": ["a"], "error": pa.array([None], pa.string())})
        found = pq.read_table(io.BytesIO(written("parquet", [THIRD, text])))
        assert found.column("prediction").to_pylist() == ["2.5", "a"]
