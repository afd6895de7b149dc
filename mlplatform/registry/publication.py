"""Telling the services at once, from a script that has no relay."""

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


async def publish_outbox(settings: PlatformSettings) -> bool:
    """Publish what waits in the outbox.

    Args:
        settings: Where Postgres and Redis are.

    Returns:
        Whether it could; otherwise the relay of any service does, as soon as Redis answers.
    """
    database = Database(settings.database_url.get_secret_value(), max_size=1, application_name=APPLICATION)
    redis = connect_redis(settings, APPLICATION)
    await database.open()
    try:
        await OutboxRelay(database, redis).relay_once()
    except (RedisError, psycopg.Error, DependencyUnavailable) as error:
        log.info("promotion.unpublished", error=str(error))
        return False
    finally:
        await redis.aclose()
        await database.close()
    return True
