"""Items scored with a model: together where the model allows it, and so that none spoils another's answer."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson

from mlplatform.errors import PlatformError
from services.model_serving.batch.scoring.assignment import ItemResult, Scored
from services.model_serving.batch.scoring.turn import Cut, evenly
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.engine.plain import render, to_plain

CALL_ITEMS = 64
"""Items of a call, after which it is asked whether to go on."""
INPUTS = "body.inputs"


class NotRowWiseError(Exception):
    """The answer has not one entry for each item, so it cannot be told whose is whose."""


def score_items(
    model: LoadedModel, items: Sequence[Any], params: dict[str, Any], check: Callable[[], None], *, cut: Cut = evenly
) -> list[tuple[str | None, str | None]]:
    """Score items; blocks.

    Args:
        model: The version.
        items: A row each, or the rows of a history for a model of histories.
        params: Parameters of the model, as the caller gave them.
        check: Called before each call of the model; raises to end the work.
        cut: Says what to score at a time.

    Returns:
        For each item JSON of the output, or of the error; for as many of the first ones as there was time for.
    """
    together = CALL_ITEMS if model.row_wise and model.input_rows is None else 1
    outcomes: list[tuple[str | None, str | None]] = []
    for part in cut(len(items), together):
        outcomes += _score(model, items[part], params, check)
    return outcomes


def results_of(numbers: Sequence[int], outcomes: Sequence[tuple[str | None, str | None]]) -> list[ItemResult]:
    """Return outcomes as results of the items with these numbers."""
    return [
        ItemResult(number, "failed" if output is None else "succeeded", output, error)
        for number, (output, error) in zip(numbers, outcomes, strict=True)
    ]


def scored(numbers: Sequence[int], outcomes: Sequence[tuple[str | None, str | None]]) -> Scored:
    """Return what came of the first items of a chunk with these numbers; the others are left."""
    done = len(outcomes)
    return Scored(results_of(numbers[:done], outcomes), len(numbers) - done)


def error_json(error: PlatformError) -> str:
    """Return what an item says went wrong."""
    fields = [{"field": _inside(wrong.field), "message": wrong.message} for wrong in error.errors]
    return orjson.dumps({"code": error.code, "detail": error.detail, "errors": fields}).decode()


def _score(
    model: LoadedModel, items: Sequence[Any], params: dict[str, Any], check: Callable[[], None]
) -> list[tuple[str | None, str | None]]:
    """Score together; where that fails halves apart, until only those items fail that make it fail."""
    check()
    try:
        return [(output, None) for output in _call(model, items, params)]
    except PlatformError as error:
        blamed = error
    except BaseException as error:  # noqa: BLE001 (a model's code may raise anything; it is its items' answer)
        blamed = model.broke(error)
    if len(items) == 1:
        return [(None, error_json(blamed))]
    middle = len(items) // 2
    return [*_score(model, items[:middle], params, check), *_score(model, items[middle:], params, check)]


def _call(model: LoadedModel, items: Sequence[Any], params: dict[str, Any]) -> list[str]:
    """Return JSON of the output of each item."""
    if model.input_rows is not None:
        (history,) = items
        return [render(model.score(history, params)).decode()]
    answer = model.score(list(items), params)
    return [render(output).decode() for output in apart(answer, len(items))]


def apart(answer: Any, count: int) -> Sequence[Any]:  # noqa: ANN401 (a model may answer anything)
    """Return the part of each item in what the model answered.

    Raises:
        NotRowWiseError: It has not one for each.
    """
    if isinstance(answer, dict) and answer and all(_length(values) == count for values in answer.values()):
        plain: dict[str, Any] = {name: to_plain(values) for name, values in answer.items()}
        return [{name: values[place] for name, values in plain.items()} for place in range(count)]
    if _length(answer) == count:
        return list(answer)
    if count == 1:
        return [answer]
    raise NotRowWiseError


def _length(values: Any) -> int | None:  # noqa: ANN401 (a model may answer anything)
    if isinstance(values, np.ndarray):
        return len(values) if values.ndim else None
    return len(values) if isinstance(values, list) else None


def _inside(field: str) -> str:
    """Name a field within the item: as it was scored alone, it was the first one."""
    return field.replace(f"{INPUTS}.0", "item", 1).replace(INPUTS, "item", 1)
