"""Rows of a table whose answers are less sure than the job asks for, collected while they are scored."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from services.model_serving.batch.review.judgement import judge
from services.model_serving.batch.scoring.assignment import UnsureRow
from services.model_serving.batch.scoring.rows import apart
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.engine.plain import render, to_plain

MOST = 16 * 1024 * 1024
"""Characters of a turn after which the other rows are left for another one: each is sent with its answer."""


class Doubts:
    """Collects rows.

    Args:
        below: Those with less confidence.
        columns: Of the model.
        first: Number of the first row that the places count from.

    Attributes:
        rows: What was found.
    """

    def __init__(self, below: float, columns: Columns, first: int) -> None:
        self._below = below
        self._columns = columns
        self._first = first
        self._length = 0
        self.rows: list[UnsureRow] = []

    @property
    def are_many(self) -> bool:
        """Whether there is so much that no more is to be looked for."""
        return self._length >= MOST

    def note(self, table: pa.Table, places: npt.NDArray[np.int64], answer: Any) -> None:  # noqa: ANN401 (any answer)
        """Look at what a model answered, as reviews of other jobs have it.

        Args:
            table: Rows.
            places: Of each.
            answer: Has one entry for each.
        """
        unsure: list[int] = []
        found: list[tuple[str, float]] = []
        for row, output in enumerate(_outputs(answer, len(places))):
            text = render(output)
            judged = judge(orjson.loads(text))
            if judged is not None and judged.confidence < self._below:
                unsure.append(row)
                found.append((text.decode(), judged.confidence))
        inputs = table.take(pa.array(unsure, pa.int64())).to_pylist() if unsure else []
        for row, given, (output, confidence) in zip(unsure, inputs, found, strict=True):
            written = render(self._item(given)).decode()
            self.rows.append(UnsureRow(self._first + int(places[row]), written, output, confidence))
            self._length += len(written) + len(output)

    def _item(self, row: Mapping[str, Any]) -> object:
        """Return a row as it is written in a job of JSON inputs."""
        return dict(row) if self._columns.are_named else list(row.values())


def _outputs(answer: Any, rows: int) -> Sequence[Any]:  # noqa: ANN401 (a model may answer anything)
    if isinstance(answer, dict):
        return apart({name: to_plain(values) for name, values in answer.items()}, rows)
    return apart(to_plain(answer), rows)
