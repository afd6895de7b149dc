"""One connection that holds the lock on a model's promotions, and the ledger as seen through it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from mlplatform.registry import repository
from mlplatform.registry.errors import PromotionRefused
from mlplatform.registry.ledger import Promotion, read_promotion
from mlplatform.registry.lineage import Lineage, trace_lineage
from mlplatform.registry.repository import Connection
from mlplatform.registry.settings import PromotionSettings

CONNECT_SECONDS = 3


@asynccontextmanager
async def connect(settings: PromotionSettings) -> AsyncIterator[Connection]:
    """Open a connection of one's own.

    Not one of the pool's: those end transactions and sessions that idle, and the gates take their time.

    Raises:
        psycopg.OperationalError: Postgres does not answer.
    """
    connection = await AsyncConnection.connect(
        settings.database_url.get_secret_value(),
        autocommit=True,
        row_factory=dict_row,
        connect_timeout=CONNECT_SECONDS,
        application_name="ml-promotion",
    )
    async with connection:
        yield connection


@asynccontextmanager
async def locked(settings: PromotionSettings, model: str) -> AsyncIterator[Connection]:
    """Open a connection that holds the lock on a model's promotions; it goes when the connection or the process ends.

    Raises:
        PromotionRefused: Another promotion of the model holds it for longer than `ML_PROMOTION_WAIT`.
        psycopg.OperationalError: Postgres does not answer.
    """
    async with connect(settings) as connection:
        try:
            await repository.lock_model(connection, model, settings.promotion_wait)
        except psycopg.errors.LockNotAvailable as error:
            raise PromotionRefused(
                f"Another promotion of {model} is under way. Wait for it, or raise ML_PROMOTION_WAIT."
            ) from error
        yield connection


async def read_lineage(connection: Connection, model: str) -> Lineage:
    """Give the versions that ought to stand where, by the ledger."""
    return trace_lineage(read_promotion(row) for row in await repository.done(connection, model))


async def read_intent(connection: Connection, model: str) -> Promotion | None:
    """Give the promotion of a model that was begun and not ended."""
    row = await repository.open_intent(connection, model)
    return None if row is None else read_promotion(row)
