"""Which pgvector the database has."""

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.spaces.errors import SpaceNotReadyError
from mlplatform.spaces.indexes import repository

ITERATIVE = (0, 8, 0)
"""The first with iterative index scans. An earlier one answers short under a filter, without a word."""
SOUND = (0, 8, 4)
"""The first whose vacuum neither corrupts an HNSW index nor leaves its graph unrepaired."""


class OldVectorExtensionError(SpaceNotReadyError):
    """The pgvector of the database lacks what search relies on."""


async def check_pgvector(database: Database) -> str | None:
    """Make sure that the index can be searched under filters.

    Returns:
        What the operator had better know of this version; None when there is nothing.

    Raises:
        OldVectorExtensionError: It is older than iterative scans.
        psycopg.Error: Postgres does not answer.
        DependencyUnavailable: No connection can be had.
    """
    async with database.transaction() as connection:
        found = await repository.read_pgvector(connection)
    if found is None:
        raise OldVectorExtensionError("the database has no pgvector: run mlp db upgrade")
    version = tuple(int(part) for part in found.split("-")[0].split("."))
    if version < ITERATIVE:
        raise OldVectorExtensionError(
            f"the pgvector of the database is {found}, and filtered search needs the iterative scans of "
            f"{_words(ITERATIVE)}: install a newer one and run ALTER EXTENSION vector UPDATE"
        )
    if version < SOUND:
        return f"the pgvector of the database is {found}: before {_words(SOUND)} a vacuum may damage an HNSW index"
    return None


async def ping_pgvector(database: Database) -> str | None:
    """Check it for the readiness of a service.

    Raises:
        DependencyUnavailable: It is too old, or Postgres does not answer.
        psycopg.Error: Postgres does not answer.
    """
    try:
        return await check_pgvector(database)
    except OldVectorExtensionError as error:
        raise DependencyUnavailable("pgvector", str(error)) from error


def _words(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
