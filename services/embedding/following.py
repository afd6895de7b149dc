"""Switching to the space of a promoted version without being told."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import psycopg
import structlog

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.events import Beat
from mlplatform.events.outage import Outage
from mlplatform.spaces import changes, repository
from mlplatform.spaces.errors import SpaceError
from mlplatform.spaces.probes import probe_coverage, probe_index, probe_nodes, probe_recall
from mlplatform.spaces.space import Space, SpaceRecord, SpaceState
from services.embedding.filling.repository import note_problem

ACTOR = "embedding"
AGAIN_SECONDS = 30.0
"""Between two looks at a space that was not good enough: they read every item."""

log = structlog.get_logger(__name__)


class Follower:
    """Switches to the space that a promotion asked for, once it is complete and its probes pass.

    A switch by the operator ends this: what the operator chose stays until the next promotion.

    It has a loop of its own, since its probes may take minutes, and a node that is silent for so long counts as dead.

    Args:
        database: Where the spaces are.
        recall: Least recall of the index.
        interval: Between two looks.
    """

    def __init__(self, database: Database, *, recall: float, interval: timedelta) -> None:
        self._database = database
        self._recall = recall
        self._look_at = 0.0
        self._beat = Beat(interval)
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Look until stopped, through outages of Postgres."""
        self._task = asyncio.current_task()
        outage = Outage("space follower")
        async for _ in self._beat:
            try:
                await self.look(await changes.list_spaces(self._database))
            except (psycopg.Error, PlatformError) as error:
                outage.failed(error)
            else:
                outage.ended()

    def stop(self) -> None:
        """End `run`, in the middle of a probe too; a switch is one transaction."""
        self._beat.stop()
        if self._task is not None:
            self._task.cancel()

    async def look(self, records: Sequence[SpaceRecord]) -> None:
        """Switch if it is time.

        Args:
            records: The spaces.

        Raises:
            psycopg.Error: Postgres does not answer.
            DependencyUnavailable: No connection can be had.
        """
        if time.monotonic() < self._look_at:
            return
        async with self._database.transaction() as connection:
            followed = await repository.find_followed(connection)
        record = next((record for record in records if record.id == followed), None)
        if record is None or record.space is None or record.state not in {SpaceState.BUILDING, SpaceState.STANDBY}:
            return
        if record.state is SpaceState.BUILDING and (record.fill is None or record.fill.complete_at is None):
            return
        refusal = await self._refusal(record.space)
        if refusal is None:
            log.info("embedding.space_switched", space=record.id)
            return
        self._look_at = time.monotonic() + AGAIN_SECONDS
        log.warning("embedding.space_not_switched", space=record.id, reason=refusal)
        async with self._database.transaction() as connection:
            # Somebody else may have switched meanwhile, which is not to be taken back: a switch waits for this row.
            if await repository.find_followed(connection, locked=True) == record.id:
                await note_problem(connection, record.id, f"not switched to: {refusal}")

    async def _refusal(self, space: Space) -> str | None:
        """Switch unless a probe fails; those that cost little come first.

        Returns:
            Why it was not switched to; None when it was.
        """
        probe = await probe_nodes(self._database, space)
        if probe.passed:
            probe = await probe_index(self._database, space)
        if probe.passed:
            probe = await probe_coverage(self._database, space, accept_failures=False)
        if probe.passed:
            probe = await probe_recall(self._database, space, at_least=self._recall)
        if not probe.passed:
            return f"{probe.name}: {probe.finding}"
        try:
            await changes.switch(self._database, space.id, ACTOR, accept_failures=False)
        except SpaceError as error:
            return str(error)
        return None
