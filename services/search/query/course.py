"""What a query takes along from step to step."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from mlplatform.database import Database
from services.search.query.reading import Reading
from services.search.query.steps import Steps


class Course:
    """The times of a query's steps, and its transactions.

    Attributes:
        steps: The times.
        first: What the state is read in, and words are searched in.
        last: What vectors are searched in, and items are read in.

    Args:
        database: Where items are.
        tenant: Whose.
    """

    def __init__(self, database: Database, tenant: str) -> None:
        self.steps = Steps()
        self.first = Reading(database, tenant)
        self.last = Reading(database, tenant)
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
