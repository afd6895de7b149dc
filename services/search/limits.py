"""What an index request and a query may hold."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import orjson

from mlplatform.embedders.content import NOTHING, has_content
from mlplatform.errors import FieldError, Unprocessable
from services.search.items import Item, Key
from services.search.settings import SearchSettings

LISTED_ERRORS = 20


def check_items(items: Sequence[Item], settings: SearchSettings) -> None:
    """Refuse a request that is too large, and items that are too large or given twice.

    Raises:
        Unprocessable: It names each item by its position.
    """
    if len(items) > settings.search_items_per_request:
        message = f"{len(items)} items are too many; send at most {settings.search_items_per_request} at a time."
        raise Unprocessable(message, errors=[FieldError("body.items", message)])
    errors = list(_wrong(items, settings))
    if errors:
        raise Unprocessable("Some items cannot be indexed; `errors` names them.", errors=errors[:LISTED_ERRORS])


def item_errors(item: Item, settings: SearchSettings) -> Iterator[FieldError]:
    """Yield what is too large about an item."""
    if len(item.text) > settings.search_text_characters:
        limit = settings.search_text_characters
        yield FieldError("text", f"has {len(item.text)} characters; at most {limit} are kept")
    size = len(orjson.dumps(item.metadata)) if item.metadata else 0
    if size > settings.search_metadata_size:
        yield FieldError("metadata", f"has {size} bytes; at most {int(settings.search_metadata_size)}")


def check_query(query: str, settings: SearchSettings) -> None:
    """Refuse a query that is empty or too long.

    Raises:
        Unprocessable: It is.
    """
    if not has_content(query):
        raise Unprocessable("The query is empty.", errors=[FieldError("body.query", NOTHING)])
    if len(query) > settings.search_query_characters:
        message = f"has {len(query)} characters; at most {settings.search_query_characters} are read"
        raise Unprocessable("The query is too long.", errors=[FieldError("body.query", message)])


def check_wait(seconds: float, settings: SearchSettings) -> timedelta:
    """Return how long to wait.

    Raises:
        Unprocessable: It is longer than a request may wait.
    """
    longest = settings.search_wait.total_seconds()
    if seconds > longest:
        message = f"must be at most {longest:g}"
        raise Unprocessable("The request would wait too long.", errors=[FieldError("body.wait_seconds", message)])
    return timedelta(seconds=seconds)


def _wrong(items: Sequence[Item], settings: SearchSettings) -> Iterator[FieldError]:
    first: dict[Key, int] = {}
    for position, item in enumerate(items):
        place = f"body.items.{position}"
        if first.setdefault(item.key, position) != position:
            yield FieldError(f"{place}.entity_id", f"is the same item as items.{first[item.key]}")
        for error in item_errors(item, settings):
            yield FieldError(f"{place}.{error.field}", error.message)
