"""A transaction that one step of a query opens and another one ends."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from mlplatform.database import Database
from mlplatform.database.pool import NO_SETTINGS
from services.search.query.repository import Connection


class Reading:
    """At most one transaction at a time; steps that follow each other share it, which saves the opening of another.

    Who holds one must not wait for another: with every connection held by such a one, all would wait.

    Args:
        database: Where items are.
        tenant: Whose.
    """

    def __init__(self, database: Database, tenant: str) -> None:
        self._database = database
        self._tenant = tenant
        self._stack = AsyncExitStack()
        self._connection: Connection | None = None

    async def __aenter__(self) -> Self:
        """Return it, and close it with the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection = None
        await self._stack.__aexit__(kind, error, trace)

    async def connection(self, settings: Mapping[str, str] = NO_SETTINGS) -> Connection:
        """Return that of the transaction, which is opened when there is none.

        Args:
            settings: Of one that is opened.

        Raises:
            DependencyUnavailable: Postgres does not answer, or every connection stays taken.
            psycopg.OperationalError: The connection was lost.
        """
        if self._connection is None:
            self._connection = await self._stack.enter_async_context(self._database.reading(self._tenant, settings))
        return self._connection

    async def close(self) -> None:
        """End the transaction, if there is one."""
        await self.__aexit__(None, None, None)

    async def abandon(self, error: BaseException) -> None:
        """End it after a failure."""
        await self.__aexit__(type(error), error, error.__traceback__)
