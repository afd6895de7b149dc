"""The forms of a body, by its content type."""

from email.message import Message
from enum import StrEnum

from mlplatform.errors import UnsupportedMediaType


class Form(StrEnum):
    """A form that a body can have."""

    JSON = "application/json"
    CSV = "text/csv"
    PARQUET = "application/vnd.apache.parquet"


def form_of(content_type: str | None) -> Form:
    """Return the form of a body; JSON when nothing is said.

    Raises:
        UnsupportedMediaType: it is none of the three, or not in UTF-8.
    """
    if content_type in {None, "", "application/json"}:
        return Form.JSON
    header = Message()
    header["content-type"] = content_type
    parameters = {name: value for name, value in header.get_params([])[1:] if name}
    charset = parameters.pop("charset", "utf-8")
    if not isinstance(charset, str) or charset.lower() not in {"utf-8", "utf8"}:  # RFC 2231's form is a tuple
        raise UnsupportedMediaType("The scoring server only supports UTF-8.")
    if parameters:
        raise UnsupportedMediaType("The content type may have no parameter but charset.")
    try:
        return Form(header.get_content_type())
    except ValueError as error:
        known = ", ".join(Form)
        raise UnsupportedMediaType(f"This predictor only supports the following content types: {known}.") from error
