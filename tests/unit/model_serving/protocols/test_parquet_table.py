"""Parquet bodies made to cost much, or to break something."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlplatform.errors import BadRequest, PayloadTooLarge
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


def number(value: int, width: int = 0) -> bytes:
    """Return a number as Thrift writes it, in more bytes than it needs where it has to fill a width."""
    rest, parts = value * 2, []
    while rest or not parts or len(parts) < width:
        parts.append(rest & 0x7F)
        rest >>= 7
    return bytes([*(part | 0x80 for part in parts[:-1]), parts[-1]])


def text(value: bytes) -> bytes:
    """Return a text as Thrift writes it."""
    return bytes([len(value)]) + value


class TestForgery:
    """Files that say something else of themselves than they are."""

    @pytest.mark.parametrize("dictionary", [False, True])
    @pytest.mark.parametrize("version", ["1.0", "2.0"])
    def test_a_footer_that_says_less_than_the_pages(self, dictionary: bool, version: str):
        long = pa.table({"a": pa.array(["x" * 300_000_000, "y"])})
        body = parquet(
            long, compression="zstd", use_dictionary=dictionary, write_statistics=False, data_page_version=version
        )
        size = pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(0).total_uncompressed_size
        cut = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
        true = number(size)
        assert true in body[cut:]
        forged = body[:cut] + body[cut:].replace(true, number(1000, len(true)))
        assert pq.ParquetFile(io.BytesIO(forged)).metadata.row_group(0).column(0).total_uncompressed_size == 1000
        pool = pa.proxy_memory_pool(usual := pa.default_memory_pool())
        pa.set_memory_pool(pool)
        try:
            with pytest.raises(PayloadTooLarge):
                read_parquet(forged, {"a"}, ROWS)
        finally:
            pa.set_memory_pool(usual)
        assert pool.max_memory() < 10_000_000

    @pytest.mark.parametrize(("entries", "size"), [(0, 2**31 - 1), (2**31 - 1, 100)])
    def test_a_dictionary_that_says_it_is_huge(self, entries: int, size: int):
        body = parquet(pa.table({"a": ["x", "y"]}), compression="zstd", write_statistics=False)
        kept = b"\x15" + number(2) + b"\x15" + number(10)
        start = pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(0).dictionary_page_offset
        assert body[start:].startswith(kept)
        page = b"\x15" + number(2) + b"\x15" + number(size) + b"\x15" + number(5)
        page += b"\x4c\x15" + number(entries) + b"\x15" + number(0) + b"\0\0"
        forged = body[:start] + page + body[start + len(page) :]
        with pytest.raises(PayloadTooLarge):
            read_parquet(forged, {"a"}, ROWS)

    def test_a_list_of_columns_that_is_not_there(self):
        root = b"\x48" + text(b"root") + b"\x15" + number(1) + b"\0"
        leaf = b"\x15" + number(5) + b"\x25" + number(0) + b"\x18" + text(b"a") + b"\0"
        groups = b"\x19\x1c" + b"\x19\xfc" + b"\xc0\x84\x3d" + b"\x26\0\0"  # a million columns, of which one follows
        footer = b"\x15" + number(1) + b"\x19\x2c" + root + leaf + b"\x16" + number(10) + groups
        body = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
        with pytest.raises(BadRequest) as caught:
            read_parquet(body, {"a"}, ROWS)
        assert "Exceeded size limit" in str(caught.value.__cause__)

    def test_a_footer_of_many_columns(self):
        body = b"PAR1" + bytes(3_000_000) + (3_000_000).to_bytes(4, "little") + b"PAR1"
        with pytest.raises(PayloadTooLarge):
            read_parquet(body, {"a"}, ROWS)


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
