"""Forms of RFC 7578, read while they come in."""

from dataclasses import dataclass
from email.message import Message

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mlplatform.errors import UnsupportedMediaType
from services.model_serving.batch.uploads.errors import BadForm
from services.model_serving.batch.uploads.names import shown


@dataclass(frozen=True, slots=True)
class Begin:
    """A part begins.

    Attributes:
        name: Of the field.
        filename: To show; None when the part is no file.
    """

    name: str
    filename: str | None


@dataclass(frozen=True, slots=True)
class End:
    """The part that began last has ended."""


Event = Begin | bytes | End


class Form:
    """Turns the bytes of a form into events; holds no more than one header of a part.

    Args:
        content_type: Header of the request.

    Raises:
        UnsupportedMediaType: It is no form.
    """

    def __init__(self, content_type: str) -> None:
        self._events: list[Event] = []
        self._name, self._value, self._disposition = b"", b"", b""
        self._complete = False
        boundary = _boundary(content_type)
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._add_name,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_head,
                    "on_part_data": lambda data, start, end: self._events.append(data[start:end]),
                    "on_part_end": lambda: self._events.append(End()),
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise BadForm("The boundary of the form is too long.") from error

    def feed(self, data: bytes) -> list[Event]:
        """Return what the next bytes say.

        Raises:
            BadForm: They are not as RFC 7578 has them.
        """
        self._events = []
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadForm("The form is broken: its parts are not as its boundary says.") from error
        return self._events

    def finish(self) -> None:
        """Make sure that nothing is missing.

        Raises:
            BadForm: It is cut off.
        """
        if not self._complete:
            raise BadForm("The form is cut off: its last boundary is missing.")

    def _begin(self) -> None:
        self._disposition = b""

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name, self._value = b"", b""

    def _end_head(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise BadForm("A part of the form has no name.")
        filename = options.get(b"filename")
        self._events.append(Begin(_text(options[b"name"]), None if filename is None else _text(filename)))

    def _end(self) -> None:
        self._complete = True


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["content-type"] = content_type or "none"
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary.isascii():
        raise UnsupportedMediaType("Send the files as multipart/form-data, with its boundary in Content-Type.")
    return boundary.encode()


def _text(value: bytes) -> str:
    return shown(value.decode(errors="replace"))
