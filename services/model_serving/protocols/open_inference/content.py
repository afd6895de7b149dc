"""What a request of the protocol may be made of."""

from collections.abc import Mapping

from mlplatform.errors import UnsupportedMediaType

TYPES = frozenset({"", "application/json", "application/octet-stream"})


def check_content(headers: Mapping[str, str]) -> None:
    """Refuse a body that is compressed or of another type; clients of the protocol often name none.

    Raises:
        UnsupportedMediaType: it is.
    """
    if headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("Send the body without compression.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() not in TYPES:
        raise UnsupportedMediaType("Send Content-Type: application/json, or application/octet-stream for binary data.")
