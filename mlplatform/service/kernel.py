"""Everything a service shares with the others, opened once."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from fastapi import Request
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from mlplatform.audit import AuditLog
from mlplatform.auth import Authenticator
from mlplatform.database import Database, SchemaError, check_schema
from mlplatform.errors import DependencyUnavailable
from mlplatform.events import OutboxRelay, running
from mlplatform.objects import ObjectStore
from mlplatform.ratelimit import RateLimiter
from mlplatform.service.health import HealthChecks
from mlplatform.settings import PlatformSettings

REDIS_RETRIES = 2
REDIS_PROBE_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Kernel:
    """The shared parts; `app.state.kernel` of a running service."""

    settings: PlatformSettings
    database: Database
    redis: Redis
    authenticator: Authenticator
    limiter: RateLimiter
    audit: AuditLog
    objects: ObjectStore
    relay: OutboxRelay
    health: HealthChecks


@asynccontextmanager
async def open_kernel(settings: PlatformSettings, name: str) -> AsyncIterator[Kernel]:
    """Open the shared parts for the time of the block; a dependency that is down does not stop it.

    Health checks of Postgres, Redis and the relay are registered; the service adds those of what else it needs.

    Args:
        settings: Settings of the service.
        name: How Postgres and Redis list the connections.
    """
    async with AsyncExitStack() as stack:
        database = Database(
            settings.database_url.get_secret_value(), max_size=settings.database_pool_size, application_name=name
        )
        await database.open()
        stack.push_async_callback(database.close)
        redis = connect_redis(settings, name)
        stack.push_async_callback(redis.aclose)
        objects = ObjectStore(settings)
        stack.callback(objects.close)
        audit = AuditLog(database)
        stack.push_async_callback(audit.close)
        relay = OutboxRelay(database, redis)
        relay_check = await stack.enter_async_context(running(relay, "outbox relay"))
        health = HealthChecks()
        health.register("postgres", partial(_check_postgres, database))
        health.register("redis", redis.ping)
        health.register("outbox relay", relay_check)
        yield Kernel(
            settings=settings,
            database=database,
            redis=redis,
            authenticator=Authenticator(settings, database),
            limiter=RateLimiter(redis, settings),
            audit=audit,
            objects=objects,
            relay=relay,
            health=health,
        )


async def _check_postgres(database: Database) -> None:
    try:
        await check_schema(database)
    except SchemaError as error:
        raise DependencyUnavailable("postgres", str(error)) from error


def connect_redis(settings: PlatformSettings, name: str = "ml-platform") -> Redis:
    """Make a client; it connects at the first command and again after every loss."""
    seconds = settings.dependency_timeout.total_seconds()
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        client_name=name,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        socket_keepalive=True,
        health_check_interval=REDIS_PROBE_SECONDS,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), REDIS_RETRIES),
    )


def get_kernel(request: Request) -> Kernel:
    """Return the kernel of the running service."""
    kernel = request.app.state.kernel
    if not isinstance(kernel, Kernel):
        raise TypeError("the lifespan of the service has not set app.state.kernel")
    return kernel
