"""What can go wrong in the platform, with the HTTP status that says so.

* PlatformError
  + BadRequest              400
  + Unauthenticated         401
  + Forbidden               403
  + NotFound                404
  + MethodNotAllowed        405
  + RequestTimeout          408
  + Conflict                409
  + PayloadTooLarge         413
  + UnsupportedMediaType    415
  + Unprocessable           422
    x InvalidCursor         422
  + RateLimited             429
  + InternalError           500
  + DependencyUnavailable   503
  + Overloaded              503
  + DeadlineExceeded        504
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

RETRY_AFTER_SECONDS = "1"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of a request.

    Attributes:
        field: Path such as `body.inputs.0`.
        message: What is wrong, without the caller's data.
    """

    field: str
    message: str


class PlatformError(Exception):
    """Root of the tree; a subclass is one kind of failure.

    Args:
        detail: What is wrong and how to mend it, for the caller to read. Must not hold the caller's data.
        errors: The wrong fields, when the request has any.
        headers: Headers of the answer, such as `Retry-After`.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(
        self, detail: str, *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class BadRequest(PlatformError):
    """The request cannot be read."""

    status = 400
    code = "bad_request"


class Unauthenticated(PlatformError):
    """Nobody, or nobody known, is calling."""

    status = 401
    code = "unauthenticated"


class Forbidden(PlatformError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"


class NotFound(PlatformError):
    """The thing asked for does not exist, or not for this caller."""

    status = 404
    code = "not_found"


class MethodNotAllowed(PlatformError):
    """The path exists for other methods."""

    status = 405
    code = "method_not_allowed"


class RequestTimeout(PlatformError):
    """The client stopped sending its request."""

    status = 408
    code = "request_timeout"


class Conflict(PlatformError):
    """The request contradicts what is stored."""

    status = 409
    code = "conflict"


class PayloadTooLarge(PlatformError):
    """The body is larger than the service accepts."""

    status = 413
    code = "payload_too_large"


class UnsupportedMediaType(PlatformError):
    """The body has a content type that the route does not read."""

    status = 415
    code = "unsupported_media_type"


class Unprocessable(PlatformError):
    """The request can be read and is not valid."""

    status = 422
    code = "unprocessable"


class InvalidCursor(Unprocessable):
    """The cursor of a list is not one that the list gave."""

    code = "invalid_cursor"

    def __init__(self) -> None:
        message = "is not one that this list gave; leave it out to start over"
        super().__init__("The cursor is not valid.", errors=[FieldError("query.cursor", message)])


class RateLimited(PlatformError):
    """The caller sent more than its share."""

    status = 429
    code = "rate_limited"


class InternalError(PlatformError):
    """A fault of ours; the log has the cause under the request id."""


class DependencyUnavailable(PlatformError):
    """Something that the answer needs is down.

    Args:
        dependency: Its name, such as `postgres`.
        detail: What to tell the caller instead of the usual words.
    """

    status = 503
    code = "dependency_unavailable"

    def __init__(self, dependency: str, detail: str | None = None) -> None:
        super().__init__(
            detail or f"{dependency} is unavailable; try again shortly.", headers={"Retry-After": RETRY_AFTER_SECONDS}
        )
        self.dependency = dependency


class Overloaded(PlatformError):
    """The service has as much work as it can queue.

    Attributes:
        lasts: Seconds for which anybody else who asks for the same is sure to be refused too.
    """

    status = 503
    code = "overloaded"

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        lasts: float = 0.0,
    ) -> None:
        super().__init__(detail, errors=errors, headers={"Retry-After": RETRY_AFTER_SECONDS} | dict(headers or {}))
        self.lasts = lasts


class DeadlineExceeded(PlatformError):
    """The answer would come later than the caller waits."""

    status = 504
    code = "deadline_exceeded"
