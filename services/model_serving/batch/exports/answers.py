"""Answers that are JSON as columns, whose types are the same in each part of a file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from services.model_serving.batch.tables.answers import PREDICTION
from services.model_serving.engine.plain import render

MOST_COLUMNS = 256
"""Keys of answers that become columns; of answers with more each is a text of JSON."""
EXACT = 1 << 53
"""Above it a float is no more each integer."""
LONG = 1 << 63

Types = Mapping[str, pa.DataType | None]
"""Of columns by their name; None of those that hold JSON as text."""


@dataclass(slots=True)
class AnswerKinds:
    """Learns from all answers of a job which columns they make.

    Attributes:
        whole: Kinds of the answers.
        keys: Kinds of the values by their key, while all answers are objects; None when not.
    """

    whole: set[str] = field(default_factory=set)
    keys: dict[str, set[str]] | None = field(default_factory=dict)

    def note(self, answer: Any) -> None:  # noqa: ANN401 (any JSON)
        """Look at an answer."""
        self.whole.add(_kind(answer))
        if self.keys is None:
            return
        if not isinstance(answer, dict) or not answer:
            self.keys = None
            return
        for key, value in answer.items():
            self.keys.setdefault(key, set()).add(_kind(value))
        if len(self.keys) > MOST_COLUMNS:
            self.keys = None

    def types(self) -> Types:
        """Return the columns: `prediction`, or `prediction_…` for each key when all answers are objects."""
        if self.keys:
            return {f"{PREDICTION}_{key}": _type(kinds) for key, kinds in self.keys.items()}
        return {PREDICTION: _type(self.whole)}


def columns_of(answers: Sequence[Any], types: Types) -> dict[str, pa.Array]:
    """Return the columns of some answers; None among them is an item that has none.

    Args:
        answers: Some of those that were noted, in their order.
        types: What came of that.
    """
    columns = {}
    for name, kind in types.items():
        key = name.removeprefix(f"{PREDICTION}_")
        values = answers if name == PREDICTION else [None if one is None else one.get(key) for one in answers]
        columns[name] = _array(values, kind)
    return columns


def _array(values: Iterable[Any], kind: pa.DataType | None) -> pa.Array:
    if kind is None:
        return pa.array([None if value is None else render(value).decode() for value in values], pa.string())
    if pa.types.is_floating(kind):
        return pa.array([None if value is None else float(value) for value in values], kind)
    return pa.array(values, kind)


def _type(kinds: set[str]) -> pa.DataType | None:
    found = kinds - {"null"}
    if not found or found == {"str"}:
        return pa.string()
    if found == {"bool"}:
        return pa.bool_()
    if found <= {"int", "long"}:
        return pa.int64()
    return pa.float64() if found <= {"int", "float"} else None


def _kind(value: Any) -> str:  # noqa: ANN401 (any JSON)
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int" if -EXACT <= value <= EXACT else "long" if -LONG <= value < LONG else "json"
        case float():
            return "float"
        case str():
            return "str"
    return "json"
