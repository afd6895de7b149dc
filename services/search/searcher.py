"""From a query to the nearest items."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from opentelemetry import trace

from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from services.search import metrics, repository
from services.search.embedding_client import EmbeddingClient, QueryVector
from services.search.errors import SpaceMismatchError
from services.search.filters import Filters
from services.search.repository import Connection

Strategy = Literal["exact", "hnsw", "exact_after_hnsw"]

tracer = trace.get_tracer(__name__)


@dataclass(frozen=True, slots=True)
class Results:
    """The answer to a query.

    Attributes:
        rows: entity_type, entity_id, text, metadata, tags and score, the best first.
        strategy: How the vectors were searched.
        complete: Whether every item that meets the filters could be considered; false while some of them still wait
            for their embedding.
        vector: The query.
    """

    rows: Sequence[dict[str, Any]]
    strategy: Strategy
    complete: bool
    vector: QueryVector


class Searcher:
    """Answers queries.

    Args:
        database: Where items and vectors are.
        embedding: Turns the query into a vector.
        exact_rows: Matching items up to which every vector is compared.
        scan_tuples: Vectors that the HNSW index may visit for one query.
    """

    def __init__(self, database: Database, embedding: EmbeddingClient, *, exact_rows: int, scan_tuples: int) -> None:
        self._database = database
        self._embedding = embedding
        self._exact_rows = exact_rows
        self._scan_tuples = scan_tuples

    async def search(self, principal: Principal, query: str, filters: Filters, limit: int) -> Results:
        """Find the items of the caller's tenant whose embeddings are nearest to the query's.

        Raises:
            DependencyUnavailable: The embedding service or Postgres is down, or there is no embedding space yet.
            SpaceMismatchError: The embedding service serves other weights than the index was made with.
        """
        with _step("embed"):
            vector = await self._embedding.embed(query, principal)
        with _step("vector"):
            async with self._database.transaction(principal.tenant) as connection:
                space_id = await self._space(connection, vector)
                rows, strategy = await self._nearest(connection, space_id, vector.literal(), filters, limit)
                complete = not await repository.has_pending(connection, filters)
        metrics.QUERIES.labels(strategy).inc()
        metrics.RESULTS.observe(len(rows))
        return Results(rows, strategy, complete, vector)

    async def _space(self, connection: Connection, vector: QueryVector) -> int:
        space = await repository.find_active_space(connection)
        if space is None:
            raise DependencyUnavailable("embedding", "There is no embedding space yet; the embedding service makes it.")
        if len(vector.values) != space["dim"]:
            raise SpaceMismatchError(
                f"The query has {len(vector.values)} dimensions, the index {space['dim']}: the embedding service "
                f"serves {vector.model} {vector.version}, the index was made with version {space['model_version']}."
            )
        if vector.digest != space["digest"]:
            raise SpaceMismatchError(
                f"The embedding service serves {vector.model} {vector.version}, the index was made with other weights, "
                f"of version {space['model_version']}."
            )
        return int(space["id"])

    async def _nearest(
        self, connection: Connection, space_id: int, vector: str, filters: Filters, limit: int
    ) -> tuple[Sequence[dict[str, Any]], Strategy]:
        """Choose by the number of items that meet the filters; never return fewer results than exist."""
        enough = max(self._exact_rows, limit)
        if await repository.count_matching(connection, filters, enough + 1) <= enough:
            return await repository.search_exact(connection, space_id, vector, filters, limit), "exact"
        rows = await repository.search_hnsw(connection, space_id, vector, filters, limit, max_tuples=self._scan_tuples)
        if len(rows) == limit:
            return rows, "hnsw"
        metrics.SHORT_SCANS.inc()
        return await repository.search_exact(connection, space_id, vector, filters, limit), "exact_after_hnsw"


@contextmanager
def _step(name: str) -> Iterator[None]:
    with metrics.STEP_SECONDS.labels(name).time(), tracer.start_as_current_span(f"search.{name}"):
        yield
