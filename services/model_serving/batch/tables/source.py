"""Where a table is, and which part of it a chunk has; both are the JSON of a chunk's source."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Form = Literal["csv", "jsonl", "parquet"]
TYPE = "table"


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file in the object store.

    Attributes:
        key: Of the object.
        form: How it is written.
        delimiter: Between the values of CSV.
    """

    key: str
    form: Form
    delimiter: str = ","

    def describe(self) -> dict[str, Any]:
        """Return the source of the chunk that splits it."""
        return {"type": TYPE, **asdict(self)}


@dataclass(frozen=True, slots=True)
class TablePart:
    """Rows of a file.

    Attributes:
        file: The file.
        start: First byte; for Parquet first row in its group.
        stop: Behind the last byte; for Parquet behind the last row.
        rows: How many they are.
        group: Number of the row group, of Parquet.
        header: Names of the columns, of CSV.
        fault: What is wrong with all of them, which are not read then.
    """

    file: TableFile
    start: int
    stop: int
    rows: int
    group: int = 0
    header: Sequence[str] = ()
    fault: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return the source of the chunk that scores it."""
        return {"type": TYPE, **asdict(self), "header": list(self.header)}

    @classmethod
    def read(cls, source: dict[str, Any]) -> "TablePart":
        """Return what a source says."""
        given = {name: value for name, value in source.items() if name not in {"type", "first", "file"}}
        return cls(TableFile(**source["file"]), **given)


def file_of(source: dict[str, Any]) -> TableFile:
    """Return the file that a source says is to be split."""
    return TableFile(source["key"], source["form"], source["delimiter"])
