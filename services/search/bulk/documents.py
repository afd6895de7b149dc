"""One line of an upload, read."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from mlplatform.errors import FieldError, problem_of_validation
from services.search.bulk.lines import Line
from services.search.items import Item
from services.search.limits import item_errors
from services.search.schemas import ItemBody
from services.search.settings import SearchSettings

WHOLE = "line"
"""Names the line itself among its fields."""
LISTED_ERRORS = 5


NOTHING = bytes(32)
"""Digest of no lines."""


class WrongLine(Exception):
    """A line holds no item.

    Args:
        errors: What is wrong.
    """

    def __init__(self, *errors: FieldError) -> None:
        super().__init__(*errors)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Document:
    """What a line holds.

    Attributes:
        number: Of the line.
        sha256: Digest of all lines up to this one; see `chained`.
        size: Its bytes.
        item: What to index; None for a line that is wrong or empty.
        errors: What is wrong; nothing with an item, and nothing for an empty line.
    """

    number: int
    sha256: bytes
    size: int
    item: Item | None = None
    errors: Sequence[FieldError] = ()


def chained(before: bytes, line: Line) -> bytes:
    """Return the digest of all lines up to one, from that of the lines before it."""
    digest = hashlib.sha256(before)
    digest.update(b"too long" if line.content is None else line.content)
    return digest.digest()


def read_document(line: Line, sha256: bytes, settings: SearchSettings) -> Document:
    """Read a line; whatever is wrong with it is in the document.

    Args:
        line: The line.
        sha256: Digest of all lines up to this one.
        settings: What an item may hold.
    """
    number, content = line
    if content is None:
        limit = int(settings.search_bulk_line_size)
        error = FieldError(WHOLE, f"has more than {limit} bytes, which are the most that are read")
        return Document(number, sha256, 0, errors=[error])
    if not content.strip():
        return Document(number, sha256, len(content))
    try:
        item = _item(content, settings)
    except WrongLine as wrong:
        return Document(number, sha256, len(content), errors=wrong.errors)
    return Document(number, sha256, len(content), item)


def _item(content: bytes, settings: SearchSettings) -> Item:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise WrongLine(FieldError(WHOLE, _not_json(content))) from error
    if not isinstance(value, dict):
        raise WrongLine(FieldError(WHOLE, "is JSON and no object"))
    try:
        body = ItemBody.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise WrongLine(*problem_of_validation(found[:LISTED_ERRORS]).errors) from error
    item = Item(body.entity_type, body.entity_id, body.text, body.metadata, body.tags)
    if errors := list(item_errors(item, settings)):
        raise WrongLine(*errors)
    return item


def _not_json(content: bytes) -> str:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 at byte {error.start}"
    return "is not valid JSON; NaN, Infinity, bare control characters and half a surrogate pair are not"
