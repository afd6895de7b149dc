"""Parquet bodies made to cost much, or to break something."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlplatform.errors import PayloadTooLarge
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.mlflow_scoring.parquet_table import read_parquet

ROWS = 10_000


def parquet(table: pa.Table, **options: object) -> bytes:
    """Return a table as a body."""
    body = io.BytesIO()
    pq.write_table(table, body, **options)
    return body.getvalue()


class TestBombs:
    """Few bytes that stand for many."""

    def test_a_dictionary_of_one_long_text(self):
        column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(ROWS, np.int32)), pa.array(["x" * 100_000]))
        body = parquet(pa.table({"a": column}), compression="zstd")
        assert len(body) < 10_000
        with pytest.raises(PayloadTooLarge):
            read_parquet(body, {"a"}, ROWS)

    def test_a_dictionary_of_one_long_value_of_fixed_length(self):
        column = pa.array([b"x" * 100_000] * 100, pa.binary(100_000))
        body = parquet(pa.concat_tables([pa.table({"a": column})] * 50), compression="zstd")
        with pytest.raises(PayloadTooLarge):
            read_parquet(body, {"a"}, ROWS)

    def test_a_page_that_is_large_when_decompressed(self):
        table = pa.table({"a": pa.array(["x" * 150_000_000, "y" * 150_000_000])})
        body = parquet(table, compression="zstd", use_dictionary=False, write_statistics=False)
        with pytest.raises(PayloadTooLarge):
            read_parquet(body, {"a"}, ROWS)

    def test_columns_of_others_are_not_read(self):
        table = pa.table({"a": [1.0, 2.0], "other": ["x" * 150_000_000, "y" * 150_000_000]})
        body = parquet(table, compression="zstd", use_dictionary=False, write_statistics=False)
        assert read_parquet(body, {"a"}, ROWS).to_dict("list") == {"a": [1.0, 2.0]}

    def test_lists_are_refused(self):
        with pytest.raises(InvalidInputs):
            read_parquet(parquet(pa.table({"a": [[1], [2]]})), {"a"}, ROWS)


class TestMetadata:
    """What pandas writes beside a table, and what others may write there."""

    @pytest.mark.parametrize(
        "metadata", [b"[]", b"5", b'{"columns":[5]}', b'{"index_columns":5}', b'{"index_columns":[{}]}']
    )
    def test_may_be_anything(self, metadata: bytes):
        table = pa.table({"a": ["x", None, "x"]}).replace_schema_metadata({"pandas": metadata})
        assert len(read_parquet(parquet(table), {"a"}, ROWS)) == 3

    @pytest.mark.parametrize("name", [None, "id"])
    def test_names_the_index_which_is_no_column(self, name: str | None):
        frame = pd.DataFrame({"a": [1.0, 2.0]}, index=pd.Index(["x", "y"], name=name))
        body = io.BytesIO()
        frame.to_parquet(body)
        assert list(read_parquet(body.getvalue(), set(), ROWS).columns) == ["a"]


def test_a_name_with_a_dot_is_a_column_of_its_own():
    table = pa.table({"a": ["x"], "a.b": ["y"]})
    assert read_parquet(parquet(table), {"a"}, ROWS).to_dict("list") == {"a": ["x"]}
