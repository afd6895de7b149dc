"""Bytes of request bodies that a process holds at a time.

A queue bounds the number of requests and each body has its limit; the product of the two is more memory than there is.
Bodies of routes that know their caller before they read are counted apart from those of routes that read first, so that
nobody unknown can use up what predictions need, and one tenant may not have all of it. There, the length that a large
body declares is reserved before a byte of it is read, else many bodies that were let in could all stop half way. Where
the caller is unknown only what came counts, for to declare costs nothing.
"""

from collections import defaultdict
from types import TracebackType
from typing import Self

from prometheus_client import Gauge

from mlplatform.errors import Overloaded

IN_FLIGHT = Gauge("ml_body_bytes_in_flight", "Bytes of request bodies held, declared ones included.", ["routes"])
LIMIT = Gauge("ml_body_bytes_in_flight_limit", "Most of them, from ML_MAX_BODY_BYTES_IN_FLIGHT.", ["routes"])
SHARE = 0.75
"""Of the budget, for one tenant."""
DETAIL = "The service holds as many bytes of requests as it has room for; try again shortly."


class BodyBudget:
    """Counts the bodies of a group of routes. Lives on the event loop.

    Args:
        limit: Most bytes; a body that comes alone is let in, however large.
        routes: The group's name in metrics.
    """

    __slots__ = ("_limit", "_of_tenants", "used")

    def __init__(self, limit: int, routes: str) -> None:
        self._limit = limit
        self.used = 0
        self._of_tenants: defaultdict[str, int] = defaultdict(int)
        IN_FLIGHT.labels(routes).set_function(lambda: self.used)
        LIMIT.labels(routes).set(limit)

    def hold(self, tenant: str | None = None) -> "HeldBody":
        """Begin with a body of no bytes; use it as a context, at whose end they are given back.

        Args:
            tenant: Whose it is, when that is known.
        """
        return HeldBody(self, tenant)

    def take(self, size: int, held: int, tenant: str | None) -> None:
        """Count bytes.

        Args:
            size: How many.
            held: What their request has already.
            tenant: Whose they are.

        Raises:
            Overloaded: There is no room; the connection is closed, since the body is not read.
        """
        if self.used + size > self._limit and self.used > held:
            raise Overloaded(DETAIL, headers={"Connection": "close"})
        if tenant is not None:
            of_tenant = self._of_tenants[tenant]
            if of_tenant + size > SHARE * self._limit and of_tenant > held:
                raise Overloaded(DETAIL, headers={"Connection": "close"})
            self._of_tenants[tenant] = of_tenant + size
        self.used += size

    def give_back(self, size: int, tenant: str | None) -> None:
        """Count bytes no more."""
        self.used -= size
        if tenant is not None:
            left = self._of_tenants[tenant] - size
            if left:
                self._of_tenants[tenant] = left
            else:
                del self._of_tenants[tenant]


class HeldBody:
    """What one request has of the budget."""

    __slots__ = ("_budget", "_size", "_tenant")

    def __init__(self, budget: BodyBudget, tenant: str | None) -> None:
        self._budget = budget
        self._tenant = tenant
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._size:
            self._budget.give_back(self._size, self._tenant)

    def grow(self, size: int) -> None:
        """Hold this many bytes in all; fewer than before change nothing.

        Raises:
            Overloaded: There is no room.
        """
        more = size - self._size
        if more > 0:
            self._budget.take(more, self._size, self._tenant)
            self._size = size
