"""Which names an object may have."""

from mlplatform.errors import Unprocessable

KEY_BYTES = 1024


def check_key(key: str) -> str:
    """Return the key when it is safe in every S3 server, those that keep objects as files included.

    Raises:
        Unprocessable: The key is empty, too long, absolute, has `.`, `..` or empty parts, a backslash or a control
            character.
    """
    if not key or len(key.encode(errors="replace")) > KEY_BYTES:
        raise Unprocessable(f"An object's key has 1 to {KEY_BYTES} bytes.")
    if not key.isprintable() or "\\" in key:
        raise Unprocessable("An object's key has no control characters and no backslash.")
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise Unprocessable("An object's key is relative, without empty parts, '.' or '..'.")
    return key
