"""The input of a job: a text, or an object with `text` and perhaps `id`, on each line."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from services.embedding.limits import check_text

LINE_BYTES = 1024 * 1024
CHUNK_LINES = 512
BLANK = b" \t\r"
Id = str | int | float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank.

    Attributes:
        number: Of the line in the input, from 1.
        text: What to embed; empty when there is an error.
        id: What the caller calls it.
        error: What is wrong with the line.
    """

    number: int
    text: str = ""
    id: Id = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of an input.

    Attributes:
        lines: Those that are not blank.
        count: All of them.
        size: Bytes that they take.
        skipping: The chunk ends inside a line that is too long.
    """

    lines: Sequence[Line]
    count: int
    size: int
    skipping: bool


def read_chunk(content: bytes, *, first: int, last: bool, skipping: bool, characters: int) -> Chunk:
    """Read lines.

    Args:
        content: The input from a position on, at least a line's longest bytes of it or all there is.
        first: Number of the line before the content, 0 at the beginning.
        last: Whether the content reaches to the end of the input.
        skipping: Whether the content begins inside a line that is too long, and was told of already.
        characters: Most characters of a text.
    """
    lines: list[Line] = []
    number, position = first, 0
    while position < len(content) and len(lines) < CHUNK_LINES:
        end = content.find(b"\n", position)
        if end < 0 and not last:
            if position > 0:
                break  # the rest of this line comes with the next chunk
            if not skipping:
                number += 1
                lines.append(Line(number, error=f"is longer than {LINE_BYTES} bytes"))
            return Chunk(lines, number - first, len(content), skipping=True)
        end = len(content) if end < 0 else end
        raw = content[position:end].strip(BLANK)
        position = end + 1
        if skipping:
            skipping = False
            continue
        number += 1
        if raw:
            lines.append(_read(number, raw, characters))
    return Chunk(lines, number - first, min(position, len(content)), skipping=False)


def _read(number: int, raw: bytes, characters: int) -> Line:
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Line(number, error="is not valid JSON in UTF-8")
    if isinstance(content, str):
        content = {"text": content}
    if not isinstance(content, dict) or not isinstance(content.get("text"), str):
        return Line(number, error="must be a text, or an object with the field text")
    name = content.get("id")
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int | float)):
        return Line(number, error="its id must be a text or a number")
    wrong = check_text(content["text"], characters)
    if wrong is not None:
        return Line(number, id=name, error=f"its text {wrong}")
    return Line(number, content["text"], name)
