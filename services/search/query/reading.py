"""A transaction that one step of a query opens and another one ends."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from mlplatform.database import Database, apply_settings
from mlplatform.database.pool import NO_SETTINGS
from services.search.query.repository import Connection


class Reading:
    """At most one transaction at a time; steps that follow each other share it, which saves the opening of another.

    Who holds one must not wait for another for long: with every connection held by such a one, all would wait.

    Args:
        database: Where items are.
        tenant: Whose.
        settings: Of each transaction from its beginning, besides those that are asked for.
    """

    def __init__(self, database: Database, tenant: str, settings: Mapping[str, str] = NO_SETTINGS) -> None:
        self._database = database
        self._tenant = tenant
        self._first = settings
        self._settings: Mapping[str, str] = NO_SETTINGS
        self._stack = AsyncExitStack()
        self._connection: Connection | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Return it, and close it with the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._detach().__aexit__(kind, error, trace)
        if self._closing is not None:
            await self._closing

    async def connection(self, settings: Mapping[str, str] = NO_SETTINGS) -> Connection:
        """Return that of the transaction, which is opened when there is none.

        Args:
            settings: Of the transaction. One that is open without them gets them, in one more round trip.

        Raises:
            DependencyUnavailable: Postgres does not answer, or every connection stays taken.
            psycopg.OperationalError: The connection was lost.
        """
        if self._connection is None:
            self._settings = {**self._first, **settings}
            opening = self._database.reading(self._tenant, self._settings)
            self._connection = await self._stack.enter_async_context(opening)
            return self._connection
        self.keep()
        missing = {name: value for name, value in settings.items() if self._settings.get(name) != value}
        if missing:
            await apply_settings(self._connection, missing)
            self._settings = {**self._settings, **missing}
        return self._connection

    async def close(self) -> None:
        """End the transaction, if there is one."""
        await self.__aexit__(None, None, None)

    async def abandon(self, error: BaseException) -> None:
        """End it after a failure."""
        await self.__aexit__(type(error), error, error.__traceback__)

    def close_in(self, seconds: float) -> None:
        """End the transaction then, if it is still open and nobody has used it."""
        self.keep()
        if self._connection is not None:
            self._deadline = asyncio.get_running_loop().call_later(seconds, self._expire)

    @property
    def is_open(self) -> bool:
        """Whether there is a transaction."""
        return self._connection is not None

    def keep(self) -> None:
        """Take back what `close_in` said."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._closing = asyncio.ensure_future(self._detach().aclose())

    def _detach(self) -> AsyncExitStack:
        """Return what ends the transaction, and know of it no more."""
        self.keep()
        self._connection = None
        return self._stack.pop_all()
