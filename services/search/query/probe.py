"""How many of the true neighbours the HNSW index finds, measured at intervals."""

import asyncio
from datetime import timedelta

import psycopg
import structlog
from psycopg.rows import DictRow

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.events.outage import wait
from mlplatform.spaces.busy import GONE
from mlplatform.spaces.repository import sample_vectors
from services.search import metrics
from services.search.filters import Filters
from services.search.query import repository, vector_repository

DEPTH = 10
ANY = Filters()

logger = structlog.get_logger(__name__)


class ProbeInterruptedError(Exception):
    """The space that was probed is retired.

    Args:
        space_id: Which.
    """

    def __init__(self, space_id: int) -> None:
        super().__init__(f"space {space_id} is searched no more; the next probe is of the one that is")


class RecallProbe:
    """Compares the index with an exact search, on vectors of a tenant that is large enough to be searched by it.

    The result is a gauge and, when it is too low, a warning: HNSW degrades silently, by many deletions or by settings.

    Args:
        database: Where vectors are.
        interval: Time between probes; none are made at no time.
        exact_rows: Items of a tenant up to which the index is not used.
        scan_tuples: Vectors that a walk may visit.
        queries: Vectors that are looked for in one probe.
        floor: Recall below which a warning is logged.
    """

    def __init__(
        self,
        database: Database,
        *,
        interval: timedelta,
        exact_rows: int,
        scan_tuples: int,
        queries: int = 20,
        floor: float = 0.95,
    ) -> None:
        self._database = database
        self._interval = interval
        self._exact_rows = exact_rows
        self._scan_tuples = scan_tuples
        self._queries = queries
        self._floor = floor
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Probe at intervals until stopped."""
        while not self._stopped.is_set() and self._interval > timedelta(0):
            await wait(self._stopped, self._interval)
            if self._stopped.is_set():
                return
            try:
                await self.probe()
            except ProbeInterruptedError as error:
                metrics.PROBES.labels("interrupted").inc()
                logger.info("search.probe_interrupted", reason=str(error))
            except (psycopg.Error, DependencyUnavailable) as error:
                metrics.PROBES.labels("failed").inc()
                logger.warning("search.probe_failed", error=f"{type(error).__name__}: {error}")
        await self._stopped.wait()

    def stop(self) -> None:
        """End `run` after the query it is at."""
        self._stopped.set()

    async def probe(self) -> float | None:
        """Measure once.

        Returns:
            Recall of the ten nearest, of all queries together; None when no tenant is large enough.

        Raises:
            ProbeInterruptedError: The space was retired meanwhile.
            psycopg.Error: Postgres does not answer.
        """
        async with self._database.transaction() as connection:
            tenants = await repository.list_tenants(connection)
        found = wanted = 0
        for tenant in tenants:
            of_tenant = await self._probe(tenant)
            found, wanted = found + of_tenant[0], wanted + of_tenant[1]
            if wanted >= self._queries * DEPTH or self._stopped.is_set():
                break
        if not wanted:
            metrics.PROBES.labels("nothing_to_probe").inc()
            return None
        recall = found / wanted
        metrics.RECALL.set(recall)
        metrics.PROBES.labels("measured").inc()
        report = logger.info if recall >= self._floor else logger.warning
        report("search.recall", recall=round(recall, 4), neighbours=wanted, floor=self._floor)
        return recall

    async def _probe(self, tenant: str) -> tuple[int, int]:
        """Return how many neighbours the index found, and how many there are."""
        async with self._database.transaction(tenant) as connection:
            state = await repository.read_state(connection)
            if state["id"] is None:
                return 0, 0
            if await repository.count_matching(connection, ANY, self._exact_rows + 1) <= self._exact_rows:
                return 0, 0
            vectors = await sample_vectors(connection, state["id"], self._queries)
        found = wanted = 0
        for vector in vectors:
            try:
                compared = await self._compare(tenant, state, vector)
            except GONE:
                async with self._database.transaction(tenant) as connection:
                    current = await repository.read_state(connection)
                if current["id"] == state["id"]:
                    raise
                raise ProbeInterruptedError(state["id"]) from None
            found, wanted = found + compared[0], wanted + compared[1]
        return found, wanted

    async def _compare(self, tenant: str, state: DictRow, vector: str) -> tuple[int, int]:
        async with self._database.reading(tenant, vector_repository.COMPARING) as connection:
            true = await vector_repository.search_exact(connection, state["id"], vector, ANY, DEPTH)
        settings = vector_repository.walk_settings(DEPTH, state["vectors"], self._scan_tuples)
        async with self._database.reading(tenant, settings) as connection:
            walked = await vector_repository.search_hnsw(connection, state["id"], vector, ANY, DEPTH)
        # By distance: items of equal distance are equally true neighbours.
        least = min((one.score for one in true), default=0.0)
        return min(len(true), sum(one.score >= least for one in walked)), len(true)
