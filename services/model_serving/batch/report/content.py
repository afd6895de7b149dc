"""What the items of a job are and what was answered, wherever they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol

from services.model_serving.batch.report import repository
from services.model_serving.batch.scoring.assignment import Assignment
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.batch.tables import source as tables
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.sample import read_answers, read_rows
from services.model_serving.batch.tables.storage import Storage, open_storage


class Content(Protocol):
    """Items and answers of a job."""

    def outputs(self, most: int) -> Iterator[Any]:
        """Yield answers in the order of their items."""

    def items(self, most: int) -> list[Any]:
        """Return rows, or the rows of a history each; none of files."""


class InRows:
    """Of a job whose answers are rows of the database.

    Args:
        connection: Sees one state of everything.
        job: Its id.
    """

    def __init__(self, connection: repository.Reading, job: str) -> None:
        self._connection = connection
        self._job = job

    def outputs(self, most: int) -> Iterator[Any]:
        """Yield answers in the order of their items."""
        return repository.outputs(self._connection, self._job, most)

    def items(self, most: int) -> list[Any]:
        """Return the items that came with the job."""
        return list(islice(repository.inputs(self._connection, self._job, most), most))


class InObjects:
    """Of a table.

    Args:
        connection: Sees one state of everything.
        job: Its id.
        storage: Where its objects are.
        bench: Has the model.
    """

    def __init__(self, connection: repository.Reading, job: str, storage: Storage, bench: Bench) -> None:
        self._connection = connection
        self._job = job
        self._storage = storage
        self._bench = bench

    def outputs(self, most: int) -> Iterator[Any]:
        """Yield answers, those of each part in the order of its rows."""
        return read_answers(self._storage, repository.objects(self._connection, self._job), most)

    def items(self, most: int) -> list[Any]:
        """Return rows from the beginning of the table."""
        columns = Columns.of(self._bench.model().declared)
        return read_rows(self._storage, repository.sources(self._connection, self._job), columns, most)


@contextmanager
def open_content(kind: str, connection: repository.Reading, assignment: Assignment, bench: Bench) -> Iterator[Content]:
    """Open the content of a job for the time of the block.

    Args:
        kind: What the items of the job came as.
        connection: Sees one state of everything.
        assignment: To report on the job.
        bench: Of the process.
    """
    if kind != tables.TYPE:
        yield InRows(connection, assignment.job)
        return
    with open_storage(bench.settings) as storage:
        yield InObjects(connection, assignment.job, storage, bench)
