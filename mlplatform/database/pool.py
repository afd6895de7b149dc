"""The connection pool of a service."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import orjson
import psycopg
from prometheus_client import Gauge
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from mlplatform.database import repository
from mlplatform.errors import DependencyUnavailable

POOL_CONNECTIONS = Gauge(
    "ml_database_pool_connections", "Connections of the pool, and callers waiting for one.", ["state"]
)


class Database:
    """Postgres behind a pool that opens without it, and recovers from its restarts.

    Args:
        url: a libpq URL, with the credentials of a role under row-level security.
        min_size: connections kept open while idle.
        max_size: connections at most; more callers wait.
        application_name: what `pg_stat_activity` shows.
        acquire_timeout: how long a caller waits for a connection before it is refused.
        statement_timeout: how long one statement may run.
    """

    def __init__(
        self,
        url: str,
        *,
        min_size: int = 1,
        max_size: int = 20,
        application_name: str = "ml-platform",
        acquire_timeout: timedelta = timedelta(seconds=3),
        statement_timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        milliseconds = int(statement_timeout.total_seconds() * 1000)
        given_options = str(conninfo_to_dict(url).get("options") or "")
        self._pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
            url,
            kwargs={
                "row_factory": dict_row,
                "prepare_threshold": 1,  # what is sent twice is sent often, and each of many connections counts anew
                "autocommit": True,  # transactions are opened by name here; a pipeline could not open one by itself
                "application_name": application_name,
                "connect_timeout": 3,
                # a peer that vanished without a FIN is noticed in seconds, not in the kernel's quarter of an hour
                "tcp_user_timeout": 10_000,
                "keepalives_idle": 30,
                "options": f"{given_options} -c statement_timeout={milliseconds}"
                f" -c idle_in_transaction_session_timeout={milliseconds}",
            },
            min_size=min_size,
            max_size=max_size,
            open=False,
            configure=_configure,
            check=_check,
            timeout=acquire_timeout.total_seconds(),
            # The pool doubles the delay between its attempts up to this time and then waits for the next caller. A
            # short one lets the first caller after a long outage connect at once.
            reconnect_timeout=1,
            name=application_name,
        )

    async def open(self) -> None:
        """Start connecting in the background; return before a connection stands."""
        await self._pool.open(wait=False)
        POOL_CONNECTIONS.labels("idle").set_function(lambda: self._stat("pool_available"))
        POOL_CONNECTIONS.labels("used").set_function(lambda: self._stat("pool_size") - self._stat("pool_available"))
        POOL_CONNECTIONS.labels("waiting").set_function(lambda: self._stat("requests_waiting"))

    async def close(self) -> None:
        """Close every connection; callers still waiting are refused."""
        await self._pool.close()

    async def ping(self) -> None:
        """Make one round trip.

        Raises:
            DependencyUnavailable: when no connection can be had in time.
            psycopg.OperationalError: when the connection is lost on the way.
        """
        async with self.transaction() as connection:
            await repository.ping(connection)

    @asynccontextmanager
    async def transaction(self, tenant: str | None = None) -> AsyncIterator[AsyncConnection[DictRow]]:
        """Open a transaction that commits when the block ends and rolls back when it raises.

        Args:
            tenant: whose rows row-level security shows; None shows no row of any tenant.

        Raises:
            DependencyUnavailable: when Postgres does not answer, or every connection stays taken.
            psycopg.OperationalError: when the connection is lost on the way.
            ValueError: when `tenant` is empty, which is what an unset tenant looks like to Postgres.
        """
        if tenant == "":
            raise ValueError("tenant must not be empty")
        async with self._acquire() as connection, connection.transaction():
            if tenant is not None:
                await repository.set_tenant(connection, tenant)
            yield connection

    @asynccontextmanager
    async def pipeline(self, tenant: str) -> AsyncIterator[AsyncConnection[DictRow]]:
        """Open a transaction like `transaction`, whose statements wait for no answer before one is fetched.

        What the first fetch needs makes one round trip with the opening, and the end another. The error of a statement
        is raised where its result or a later one is fetched. Plans are made once per connection and statement, so none
        may depend on the values it is given.

        Args:
            tenant: whose rows row-level security shows.

        Raises:
            DependencyUnavailable: when Postgres does not answer, or every connection stays taken.
            psycopg.OperationalError: when the connection is lost on the way.
        """
        async with self._acquire() as connection, connection.pipeline() as pipeline, connection.transaction():
            await repository.set_reader(connection, tenant)
            try:
                yield connection
            except psycopg.Error:
                # After a failure the server passes over everything up to the next sync, the rollback too.
                with suppress(psycopg.Error):
                    await pipeline.sync()
                raise

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[AsyncConnection[DictRow]]:
        try:
            connection = await self._pool.getconn()
        except (PoolTimeout, PoolClosed) as error:
            raise DependencyUnavailable("postgres") from error
        try:
            yield connection
        finally:
            await self._pool.putconn(connection)

    def _stat(self, name: str) -> int:
        return self._pool.get_stats().get(name, 0)


async def _configure(connection: AsyncConnection[DictRow]) -> None:
    set_json_dumps(_dump_json, connection)
    set_json_loads(orjson.loads, connection)


def _dump_json(value: Any) -> bytes:  # noqa: ANN401 (the JSON of any type that orjson knows)
    return orjson.dumps(value)


async def _check(connection: AsyncConnection[DictRow]) -> None:
    """Refuse a connection that Postgres has closed.

    Nothing arrives on an idle connection unless the server ends it, so a poll of the socket replaces a round trip
    before every transaction; the round trip is made only when something did arrive.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)
