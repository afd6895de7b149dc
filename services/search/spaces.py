"""Which space a query is answered from, while the index may change models between any two steps of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.spaces.busy import GONE
from services.search.embedding_client import EmbeddingClient, QueryVector
from services.search.errors import SpaceMismatchError
from services.search.query import repository
from services.search.query.state import Space, State

NO_SPACE = "There is no embedding space yet; the embedding service makes it."

Found = TypeVar("Found")

logger = structlog.get_logger(__name__)


class QueryEmbedder:
    """Embeds queries with the weights that the space they are answered from was made with.

    A query that began before a switch ends in the space that it began with: that one is kept up to date, and the
    embedding service keeps its model. Only when the weights or the table are gone, the query goes on in the space of
    the moment.

    Args:
        database: Where the spaces are.
        embedding: Has the models.
    """

    def __init__(self, database: Database, embedding: EmbeddingClient) -> None:
        self._database = database
        self._embedding = embedding

    async def go_on(self, tenant: str, state: State, work: Callable[[State], Awaitable[Found]]) -> Found:
        """Do what needs a query's space, and do it again in the space of the moment when that one is gone.

        Args:
            tenant: Whose query.
            state: The index.
            work: Is called with the index, and raises what tells that its space is gone.

        Raises:
            SpaceMismatchError: The embedding service has not the weights that the index is searched with.
            psycopg.Error: The space is the one of the moment, and `work` fails in it.
        """
        try:
            return await work(state)
        except (SpaceMismatchError, *GONE):
            async with self._database.transaction(tenant) as connection:
                fresh = space_of(await repository.read_state(connection))
            if fresh is None or (state.space is not None and fresh.id == state.space.id):
                raise
            logger.info("search.space_changed", former=None if state.space is None else state.space.id, now=fresh.id)
            return await work(replace(state, space=fresh))

    async def embed(self, principal: Principal, text: str, state: State) -> tuple[QueryVector, Space]:
        """Embed a query.

        Returns:
            The vector, and the space that it belongs to.

        Raises:
            DependencyUnavailable: The embedding service is down, or there is no space yet.
            SpaceMismatchError: The embedding service has not the weights that the index is searched with.
            Unprocessable: The embedding service refuses the text.
        """
        digest = None if state.space is None else state.space.digest
        vector = await self._embedding.embed(text, principal, digest)
        return vector, _checked(state, vector)


def space_of(row: Mapping[str, Any]) -> Space | None:
    """Read the space of a row of `repository.read_state`."""
    if row["id"] is None:
        return None
    return Space(row["id"], row["model"], row["model_version"], row["digest"], row["dim"], row["vectors"])


def _checked(state: State, vector: QueryVector) -> Space:
    """Return the space when the vector is one of it."""
    space = state.space
    if space is None:
        raise DependencyUnavailable("embedding", NO_SPACE)
    if len(vector.values) != space.dimension:
        raise SpaceMismatchError(
            f"The query has {len(vector.values)} dimensions, the index {space.dimension}: the embedding service "
            f"serves {vector.model} {vector.version}, the index was made with version {space.version}."
        )
    if vector.digest != space.digest:
        raise SpaceMismatchError(
            f"The embedding service serves {vector.model} {vector.version}, the index was made with other weights, "
            f"of version {space.version}."
        )
    return space
