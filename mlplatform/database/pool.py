"""The connection pool of a service."""

import select
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import orjson
import psycopg
from opentelemetry import trace
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

TENANT = "ml.tenant"
"""What row-level security reads."""
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
READING: Mapping[str, str] = MappingProxyType(
    {
        "transaction_read_only": "on",
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",  # a plan that is made for small tables is kept when they have grown
        "jit": "off",
    }
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
                "autocommit": True,  # transactions are opened here, together with their tenant
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
    async def transaction(
        self, tenant: str | None = None, settings: Mapping[str, str] = NO_SETTINGS
    ) -> AsyncIterator[AsyncConnection[DictRow]]:
        """Open a transaction that commits when the block ends and rolls back when it raises.

        The block may raise `psycopg.Rollback` to have nothing but the roll-back happen.

        Args:
            tenant: whose rows row-level security shows and accepts; None shows no row of any tenant.
            settings: of Postgres, by name, until the transaction ends; they cost no round trip of their own.

        Raises:
            DependencyUnavailable: when Postgres does not answer, or every connection stays taken.
            psycopg.OperationalError: when the connection is lost on the way.
            ValueError: when `tenant` is empty, which is what an unset tenant looks like to Postgres.
        """
        if tenant == "":
            raise ValueError("tenant must not be empty")
        async with self._acquire() as connection:
            await repository.begin(connection, settings if tenant is None else {TENANT: tenant, **settings})
            try:
                yield connection
            except psycopg.Rollback:
                await connection.rollback()
                return
            except BaseException:
                # A connection that cannot roll back is of no use any more, and the pool throws it away.
                with suppress(psycopg.Error):
                    await connection.rollback()
                raise
            await connection.commit()

    def reading(
        self, tenant: str, settings: Mapping[str, str] = NO_SETTINGS
    ) -> AbstractAsyncContextManager[AsyncConnection[DictRow]]:
        """Open a transaction that reads, with statements whose best plans do not depend on the values they are given.

        Each is planned once per connection. Planning takes about as long as a short statement, and Postgres's own
        choice is to plan anew wherever a limit or an array is given.

        Args:
            tenant: whose rows row-level security shows.
            settings: see `transaction`, which this raises the errors of.
        """
        return self.transaction(tenant, {**READING, **settings})

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[AsyncConnection[DictRow]]:
        try:
            connection = await self._pool.getconn()
        except (PoolTimeout, PoolClosed) as error:
            raise DependencyUnavailable("postgres") from error
        factory = connection.cursor_factory
        if not trace.get_current_span().is_recording():
            # The instrumented ones take more than half as long again, for spans that nobody sees.
            connection.cursor_factory = psycopg.AsyncCursor
        try:
            yield connection
        finally:
            connection.cursor_factory = factory
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
