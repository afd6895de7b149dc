"""Telling the services at once, from a script that has no relay."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
import structlog
from redis.exceptions import RedisError

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.events import OutboxRelay
from mlplatform.service.kernel import connect_redis
from mlplatform.settings import PlatformSettings

APPLICATION = "ml-promotion"

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_publisher(settings: PlatformSettings) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Connect to Postgres and Redis now, so that publishing takes no time when it matters.

    Args:
        settings: Where they are.

    Yields:
        A function that publishes what waits in the outbox, and says whether it could; otherwise the relay of any
        service does, as soon as Redis answers.
    """
    database = Database(settings.database_url.get_secret_value(), max_size=1, application_name=APPLICATION)
    redis = connect_redis(settings, APPLICATION)
    relay = OutboxRelay(database, redis)
    await database.open()

    async def publish() -> bool:
        try:
            await relay.relay_once()
        except (RedisError, psycopg.Error, DependencyUnavailable) as error:
            log.info("promotion.unpublished", error=str(error))
            return False
        return True

    try:
        yield publish
    finally:
        await redis.aclose()
        await database.close()


async def publish_outbox(settings: PlatformSettings) -> bool:
    """Publish what waits in the outbox, once; see `open_publisher`."""
    async with open_publisher(settings) as publish:
        return await publish()
