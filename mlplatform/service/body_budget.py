"""Bytes of request bodies that a process holds at a time.

A queue bounds the number of requests and each body has its limit; the product of the two is more memory than there is.
A length that is declared is reserved before a byte of it is read, else many bodies that were let in could all stop half
way. Bodies of routes that know their caller before they read are counted apart from those of routes that read first, so
that nobody unknown can use up what predictions need.
"""

from types import TracebackType
from typing import Self

from prometheus_client import Gauge

from mlplatform.errors import Overloaded

IN_FLIGHT = Gauge("ml_body_bytes_in_flight", "Bytes of request bodies held, declared ones included.", ["routes"])
LIMIT = Gauge("ml_body_bytes_in_flight_limit", "Most of them, from ML_MAX_BODY_BYTES_IN_FLIGHT.", ["routes"])
DETAIL = "The service holds as many bytes of requests as it has room for; try again shortly."


class BodyBudget:
    """Counts the bodies of a group of routes. Lives on the event loop.

    Args:
        limit: Most bytes; a body that comes alone is let in, however large.
        routes: The group's name in metrics.
    """

    __slots__ = ("_limit", "used")

    def __init__(self, limit: int, routes: str) -> None:
        self._limit = limit
        self.used = 0
        IN_FLIGHT.labels(routes).set_function(lambda: self.used)
        LIMIT.labels(routes).set(limit)

    def hold(self) -> "HeldBody":
        """Begin with a body of no bytes; use it as a context, at whose end they are given back."""
        return HeldBody(self)

    def take(self, size: int, held: int) -> None:
        """Count bytes.

        Args:
            size: How many.
            held: What their request has already.

        Raises:
            Overloaded: There is no room; the connection is closed, since the body is not read.
        """
        if self.used + size > self._limit and self.used > held:
            raise Overloaded(DETAIL, headers={"Connection": "close"})
        self.used += size


class HeldBody:
    """What one request has of the budget."""

    __slots__ = ("_budget", "_size")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.used -= self._size

    def grow(self, size: int) -> None:
        """Hold this many bytes in all; fewer than before change nothing.

        Raises:
            Overloaded: There is no room.
        """
        more = size - self._size
        if more > 0:
            self._budget.take(more, self._size)
            self._size = size
