"""Texts out of files."""

from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.batch.uploads.sniff import CONTROLS

BOM = "\ufeff"
FORBIDDEN = frozenset(map(chr, CONTROLS))


def read_text(content: bytes, limits: Limits) -> str:
    """Return the text of a file.

    Raises:
        FileError: It is empty, too long, not UTF-8, or has control characters.
    """
    try:
        text = content.decode().removeprefix(BOM)
    except UnicodeDecodeError as error:
        raise FileError("not_utf8", f"The text is not UTF-8: byte {error.start} cannot be read.") from error
    if not text.strip():
        raise FileError("empty", "The text is empty.")
    if len(text) > limits.text_characters:
        raise FileError("text_too_long", f"The text has more than {limits.text_characters} characters.")
    if not FORBIDDEN.isdisjoint(text):
        raise FileError("not_text", "The text has control characters, so it is probably no text.")
    return text
