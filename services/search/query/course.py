"""What a query takes along from step to step."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from mlplatform.database import Database
from mlplatform.database.pool import NO_SETTINGS
from services.search.query.reading import Reading
from services.search.query.steps import Steps

PATIENCE_SECONDS = 0.02
"""How long the first transaction waits for the query's vector; most are made in a quarter of that."""


class Course:
    """The times of a query's steps, and its transactions; mostly it is one, begun as the first and ended as the last.

    Attributes:
        steps: The times.
        first: What the state is read in, and words are searched in.
        last: What vectors are searched in, and items are read in.

    Args:
        database: Where items are.
        tenant: Whose.
        settings: That the vectors will probably need.
        patience: Seconds that a step may take; all that are bounded may take twice as long together.
    """

    def __init__(
        self, database: Database, tenant: str, settings: Mapping[str, str] = NO_SETTINGS, *, patience: float
    ) -> None:
        self.steps = Steps()
        self.first = Reading(database, tenant, settings)
        self.last = Reading(database, tenant)
        self._patience = patience
        self._end: float | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Return it, and close with the block what is open."""
        await self._stack.enter_async_context(self.first)
        await self._stack.enter_async_context(self.last)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def limit(self) -> asyncio.Timeout:
        """Bound a step: to its own time, and to what is left of that of all, which begins with the first of them."""
        now = asyncio.get_running_loop().time()
        if self._end is None:
            self._end = now + 2 * self._patience
        return asyncio.timeout_at(min(now + self._patience, self._end))

    def rest(self) -> None:
        """Let the first transaction wait for what comes next, though not for long, and not for steps that go alone."""
        self.first.close_in(0.0 if self.last.is_open else PATIENCE_SECONDS)

    def hand_over(self) -> None:
        """Have the last steps go on in the first transaction, if it is still open and they have none of their own."""
        if self.first.is_open and not self.last.is_open:
            self.first.keep()
            self.first, self.last = self.last, self.first
