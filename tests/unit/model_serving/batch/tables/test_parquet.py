"""Ranges of Parquet as blocks, of files that say what is not so as well."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model_serving.batch.tables.errors import TableRefused
from services.model_serving.batch.tables.parquet_file import check_group, cut_parquet, open_parquet, read_parquet
from tests.unit.model_serving.batch.tables.signatures import columns, rows_of


def written(table: dict[str, object], group: int = 1 << 20, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table(table), file, row_group_size=group, **options)
    return file


def read(file: io.BytesIO, *names: str, records: int = 1 << 20) -> list[object]:
    wanted = columns(*names)
    opened = open_parquet(file, wanted)
    for group in range(opened.metadata.num_row_groups):
        check_group(file, opened, group, wanted)
    return [row for part in cut_parquet(opened, records) for row in rows_of(read_parquet(opened, part, wanted))]


class TestCuts:
    @given(st.integers(0, 30), st.integers(1, 12), st.integers(1, 12))
    def test_every_cut_of_a_file_gives_the_same_rows(self, rows: int, group: int, records: int) -> None:
        file = written({"x": np.arange(rows, dtype=float), "s": [str(row) for row in range(rows)]}, group)
        found = read(file, "x", "s", records=records)
        assert found == [{"x": float(row), "s": str(row)} for row in range(rows)]


class TestRows:
    def test_values_that_do_not_fit_fail_alone(self) -> None:
        file = written({"n": [1.0, 2.5, None], "x": [1.0, 2.0, np.inf], "i": [1, 2**40, 3], "id": ["a", "b", "c"]})
        assert read(file, "n", "x", "i") == [
            {"n": 1, "x": 1.0, "i": 1},
            "n: must be an integer, and none may be missing",
            "n: must be an integer, and none may be missing",
        ]

    def test_dictionaries_and_large_text_are_text(self) -> None:
        texts = pa.array(["a", "b", "a"])
        assert read(written({"s": texts.dictionary_encode()}), "s") == [{"s": "a"}, {"s": "b"}, {"s": "a"}]
        assert read(written({"s": texts.cast(pa.large_string())}), "s")[1] == {"s": "b"}

    def test_a_column_of_another_type_is_refused_as_a_whole(self) -> None:
        with pytest.raises(TableRefused, match="'x' holds string; the model takes numbers"):
            read(written({"x": ["1"]}), "x")


class TestLies:
    @pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 100, b"PAR1" + b"\0" * 50 + b"PAR1"])
    def test_what_is_no_parquet_is_refused(self, content: bytes) -> None:
        with pytest.raises(TableRefused, match="no Parquet table"):
            read(io.BytesIO(content), "x")

    def test_a_footer_that_is_too_large_is_not_read(self) -> None:
        with pytest.raises(TableRefused, match="footer"):
            read(io.BytesIO(b"PAR1" + (2**31 - 1).to_bytes(4, "little") + b"PAR1"), "x")

    def test_a_truncated_file_is_refused(self) -> None:
        content = written({"x": np.arange(1000.0)}).getvalue()
        with pytest.raises(TableRefused):
            read(io.BytesIO(content[: len(content) // 2]), "x")

    def test_pages_that_are_not_what_the_footer_says_fail_their_row_group_alone(self) -> None:
        file = written({"x": np.arange(20.0)}, 10, use_dictionary=False, compression="zstd")
        wanted = columns("x")
        opened = open_parquet(file, wanted)
        start = opened.metadata.row_group(0).column(0).data_page_offset
        size = opened.metadata.row_group(0).column(0).total_compressed_size
        content = bytearray(file.getvalue())
        content[start : start + size] = b"\xff" * size
        broken = io.BytesIO(bytes(content))
        opened = open_parquet(broken, wanted)
        with pytest.raises(TableRefused, match=r"Row group 0 .* not what the footer"):
            check_group(broken, opened, 0, wanted)
        check_group(broken, opened, 1, wanted)
        first, second = cut_parquet(opened, 100)
        with pytest.raises(TableRefused, match=r"Row group 0 .* not what the footer"):
            read_parquet(opened, first, wanted)
        assert len(rows_of(read_parquet(opened, second, wanted))) == 10

    def test_a_page_that_becomes_too_large_is_not_decompressed(self) -> None:
        file = written({"s": ["a" * (80 << 20)]}, use_dictionary=False, compression="zstd", write_statistics=False)
        assert len(file.getvalue()) < 1 << 20
        with pytest.raises(TableRefused, match="pages of more than 64 MB"):
            read(file, "s")

    def test_text_that_a_dictionary_makes_of_a_few_bytes_is_not_written_out(self) -> None:
        texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(400, np.int32)), pa.array(["a" * 900_000]))
        views = pa.array(["a" * 900_000] * 400, pa.string_view())
        for column in (texts, views):
            file = written({"s": column}, compression="zstd", write_statistics=False)
            assert len(file.getvalue()) < 1000
            with pytest.raises(TableRefused, match="Rows 0 to 399 of row group 0 hold more than 256 MB"):
                read(file, "s")

    def test_values_of_a_large_fixed_size_are_refused(self) -> None:
        file = written({"y": pa.array([b"a" * 10_000], pa.binary(10_000))})
        with pytest.raises(TableRefused, match=r"'y' holds fixed_size_binary\[10000\], which no model takes"):
            read(file, "y")

    def test_pages_are_looked_at_behind_objects_that_the_model_does_not_take(self) -> None:
        other = pa.array([{"a": 1, "b": 2}])
        file = written(
            {"other": other, "s": ["a" * (80 << 20)]}, use_dictionary=False, compression="zstd", write_statistics=False
        )
        with pytest.raises(TableRefused, match="pages of more than 64 MB"):
            read(file, "s")

    def test_a_row_group_that_says_to_have_more_rows_than_its_columns_is_refused(self) -> None:
        content = bytearray(written({"x": np.arange(5000.0)}, write_statistics=False, store_schema=False).getvalue())
        rows = b"\x16\x90\x4e"  # a number of 64 bits, 5000 in zigzag
        places = [place for place in range(len(content)) if content.startswith(rows, place)]
        content[places[-1] + 1 : places[-1] + 3] = b"\xfe\x7f"
        opened = open_parquet(io.BytesIO(content), columns("x"))
        assert opened.metadata.row_group(0).num_rows == 8191
        with pytest.raises(TableRefused, match=r"Row group 0 .* not what the footer"):
            read(io.BytesIO(content), "x")

    def test_long_rows_are_cut_into_smaller_ranges(self) -> None:
        texts = [f"{row:08}" * 1250 for row in range(20_000)]
        file = written({"s": texts}, use_dictionary=False, compression="zstd", write_statistics=False)
        opened = open_parquet(file, columns("s"))
        ranges = [part.rows for part in cut_parquet(opened, 1 << 20)]
        assert sum(ranges) == len(texts)
        assert max(ranges) < 7000
        assert read(file, "s")[15_000] == {"s": texts[15_000]}
