"""The embedding space of the first model: found, or made."""

from mlplatform.database import Database
from mlplatform.spaces.space import Space
from services.embedding import repository

__all__ = ["Space", "create", "find_active"]


async def find_active(database: Database) -> Space | None:
    """Return the space that search reads, None before the first.

    Raises:
        psycopg.OperationalError: Postgres does not answer.
        DependencyUnavailable: No connection can be had.
    """
    async with database.transaction() as connection:
        row = await repository.find_active_space(connection)
    return Space(row["id"], row["model"], row["model_version"], row["digest"], row["dim"]) if row else None


async def create(database: Database, *, model: str, version: str, digest: str, dimension: int) -> Space:
    """Return the space of these weights, made with its table and index when there is none.

    Raises:
        psycopg.OperationalError: Postgres does not answer.
        DependencyUnavailable: No connection can be had.
    """
    async with database.transaction() as connection:
        space_id = await repository.create_space(connection, model, version, digest, dimension)
    return Space(space_id, model, version, digest, dimension)
