"""Rows of a table, in what a model takes."""

from typing import BinaryIO, cast

from services.model_serving.batch.tables.block import Block
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.csv_file import read_csv
from services.model_serving.batch.tables.errors import TableRefused
from services.model_serving.batch.tables.jsonl_file import read_jsonl
from services.model_serving.batch.tables.parquet_file import GroupRange, open_parquet, read_parquet
from services.model_serving.batch.tables.source import TablePart
from services.model_serving.batch.tables.storage import RemoteFile, Storage


def read_part(storage: Storage, part: TablePart, columns: Columns) -> Block:
    """Read a part of a table.

    Args:
        storage: Where it is.
        part: Which.
        columns: Of the model.

    Raises:
        TableRefused: None of its rows can be read.
        NotFound: The file is not there any more.
    """
    if part.fault is not None:
        raise TableRefused(part.fault)
    if part.file.form == "parquet":
        opened = open_parquet(cast("BinaryIO", RemoteFile(storage, part.file.key)), columns)
        return read_parquet(opened, GroupRange(part.group, part.start, part.rows), columns)
    content = storage.read(part.file.key, part.start, part.stop)
    if part.file.form == "jsonl":
        return read_jsonl(content, part.rows, columns)
    return read_csv(content, part.rows, part.header, part.file.delimiter, columns)
