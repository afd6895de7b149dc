"""Calls of a model with several items, in which none spoils another's answer."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson

from mlplatform.errors import PlatformError
from services.model_serving.batch.scoring.rows import NotRowWiseError, error_json
from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.engine.loaded_model import LoadedModel

Outcome = tuple[str | None, str | None]
"""JSON of the output of an item, or of its error."""
Item = TypeVar("Item")
Result = TypeVar("Result")
Check = Callable[[], None]
Load = Callable[[], Item]
"""Reads a file when it is wanted; raises `FileError` when it cannot be scored."""


def score_together(
    model: LoadedModel, items: Sequence[Item], call: Callable[[Sequence[Item]], Sequence[object]], check: Check
) -> list[Outcome]:
    """Score items in one call; where that fails halves apart, until only those items fail that make it fail.

    Args:
        model: What is called.
        items: At least one.
        call: Calls it; returns the output of each item.
        check: Called before each call; raises to end the work.
    """
    check()

    def written() -> list[Outcome]:
        outputs = call(items)
        if len(outputs) != len(items):
            raise NotRowWiseError
        return [(orjson.dumps(output, option=orjson.OPT_SERIALIZE_NUMPY).decode(), None) for output in outputs]

    found = tried(model, written)
    if isinstance(found, list):
        return found
    if len(items) == 1:
        return [(None, error_json(found))]
    middle = len(items) // 2
    return [
        *score_together(model, items[:middle], call, check),
        *score_together(model, items[middle:], call, check),
    ]


def tried(model: LoadedModel, work: Callable[[], Result]) -> Result | PlatformError:
    """Return what comes of something that a model's own code has a part in, or what to blame."""
    try:
        return work()
    except PlatformError as error:
        return error
    except BaseException as error:  # noqa: BLE001 (a model's code may raise anything; it is its items' answer)
        return model.broke(error)


def failed(error: FileError) -> Outcome:
    """Return the outcome of a file that no model could score."""
    return None, orjson.dumps({"code": error.code, "detail": error.detail, "errors": []}).decode()
