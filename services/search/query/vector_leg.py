"""The nearest items by their vectors."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mlplatform.database import Database
from mlplatform.database.pool import NO_SETTINGS
from services.search import metrics
from services.search.filters import Filters
from services.search.items import Key
from services.search.query import repository, vector_repository
from services.search.query.plan import CountMemory, Plan, exact_threshold
from services.search.query.query import Mode
from services.search.query.ranking import Strategy
from services.search.query.reading import Reading
from services.search.query.state import Space, State
from services.search.query.vector_repository import Compared, Near

Hit = tuple[str, str, float]
"""Entity type, entity id and cosine similarity."""


@dataclass(frozen=True, slots=True)
class VectorHits:
    """What vectors proposed.

    Attributes:
        hits: The best first.
        strategy: How they were found.
        compared: Other items that were asked for, those that exist.
        numbers: Of the hits, as words know them; empty when they were not asked for.
    """

    hits: Sequence[Hit]
    strategy: Strategy
    compared: Sequence[Compared]
    numbers: Mapping[Key, int]


class VectorLeg:
    """Searches vectors, and never returns fewer results than exist.

    Args:
        database: Where they are.
        exact_rows: Matching items up to which every vector is compared, whatever the size of the index.
        scan_tuples: Vectors that the HNSW index may visit for one query.
    """

    def __init__(self, database: Database, *, exact_rows: int, scan_tuples: int) -> None:
        self._database = database
        self._exact_rows = exact_rows
        self._scan_tuples = scan_tuples
        self._counts = CountMemory()
        self._expected: dict[tuple[Mode, bool], Mapping[str, str]] = {}

    def expected_settings(self, mode: Mode, *, filtered: bool) -> Mapping[str, str]:
        """Return the settings of the transaction of the last walk of its kind; the next one mostly needs the same.

        Args:
            mode: Of the query.
            filtered: Whether it has filters.
        """
        return self._expected.get((mode, filtered), NO_SETTINGS)

    async def plan(self, tenant: str, state: State, filters: Filters) -> Plan:
        """Count what meets the filters; while the query is embedded, this costs no time."""
        threshold = exact_threshold(self._exact_rows, 0 if state.space is None else state.space.vectors)
        filtered = bool(filters)
        pending = state.pending
        matching = self._counts.find(tenant, filters, state.generation)
        if matching is None or (pending and filtered):
            async with self._database.reading(tenant) as connection:
                if pending and filtered:
                    pending = await repository.has_pending(connection, filters)
                matching = await repository.count_matching(connection, filters, threshold + 1)
            self._counts.keep(tenant, filters, matching, state.generation if matching <= threshold else None)
        return Plan(matching, threshold, pending, filtered)

    async def search(
        self,
        reading: Reading,
        space: Space,
        plan: Plan,
        vector: str,
        filters: Filters,
        *,
        limit: int,
        others: Collection[int],
        mode: Mode,
        narrow: bool,
        numbered: bool,
    ) -> VectorHits:
        """Find the nearest items, and say on the way how similar others are.

        Args:
            reading: Left open, unless it fails.
            space: The space of the vector.
            plan: What is known of the filters.
            vector: The query as pgvector reads it.
            filters: Conditions.
            limit: Most hits.
            others: Numbers of items to compare the query with too.
            mode: Of the query.
            narrow: Whether a walk may keep less in sight, since words propose as much.
            numbered: Whether to read the numbers of the hits.
        """
        strategy = plan.strategy(limit)
        is_walk = strategy != "exact"
        settings = vector_repository.COMPARING
        if is_walk:
            settings = vector_repository.walk_settings(
                limit, space.vectors, self._scan_tuples, narrow=narrow, filtered=plan.filtered
            )
            self._expected[mode, plan.filtered] = settings
        near: Sequence[Near] = ()
        compared: Sequence[Compared] = ()
        try:
            connection = await reading.connection(settings)
            if is_walk and others:
                near, compared = await vector_repository.search_hnsw_and_compare(
                    connection, space.id, vector, filters, limit=limit, others=others, numbered=numbered
                )
            elif is_walk:
                near = await vector_repository.search_hnsw(
                    connection, space.id, vector, filters, limit, numbered=numbered
                )
            elif others:
                compared = await vector_repository.compare(connection, space.id, vector, others)
            if is_walk and len(near) < limit:
                metrics.SHORT_SCANS.inc()
                strategy = "exact_after_plain" if strategy == "plain" else "exact_after_iterative"
            if strategy not in {"plain", "iterative"}:
                near = await vector_repository.search_exact(
                    connection, space.id, vector, filters, limit, numbered=numbered
                )
        except BaseException as error:
            await reading.abandon(error)
            raise
        numbers = {(one.entity_type, one.entity_id): one.number for one in near if one.number is not None}
        return VectorHits(_hits(near), strategy, compared, numbers)

    async def compare(self, reading: Reading, space: Space, vector: str, others: Collection[int]) -> Sequence[Compared]:
        """Compare the query with some items; return those that exist.

        Args:
            reading: Left open, unless it fails.
            space: The space of the vector.
            vector: The query as pgvector reads it.
            others: Numbers of the items.
        """
        try:
            return await vector_repository.compare(await reading.connection(), space.id, vector, others)
        except BaseException as error:
            await reading.abandon(error)
            raise

    async def search_exact(self, tenant: str, space: Space, vector: str, filters: Filters, limit: int) -> Sequence[Hit]:
        """Compare every item that meets the filters, for pages beyond the candidates."""
        async with self._database.reading(tenant, vector_repository.COMPARING) as connection:
            return _hits(await vector_repository.search_exact(connection, space.id, vector, filters, limit))


def _hits(near: Sequence[Near]) -> list[Hit]:
    return [(one.entity_type, one.entity_id, one.score) for one in near]
