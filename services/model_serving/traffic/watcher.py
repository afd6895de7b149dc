"""Puts routing documents into effect: an event is the hint that one changed, the poll of Postgres is the truth."""

import asyncio
from datetime import timedelta

import psycopg
from structlog import get_logger

from mlplatform.errors import DependencyUnavailable
from mlplatform.events import Beat, StreamTail, TrafficChanged, beside
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.traffic.documents import Documents, Revision
from services.model_serving.traffic.metrics import REVISION
from services.model_serving.traffic.plan import Plan, compile_plan
from services.model_serving.traffic.router import TrafficRouter
from services.model_serving.traffic.targets import Targets

log = get_logger(__name__)


class TrafficWatcher:
    """A loop beside the service. While Postgres is down, what was in effect stays so.

    Args:
        documents: the truth.
        router: where plans go.
        targets: are kept in memory.
        events: changes as they happen.
        interval: between polls.
    """

    def __init__(
        self,
        documents: Documents,
        router: TrafficRouter,
        targets: Targets,
        events: StreamTail,
        interval: timedelta,
    ) -> None:
        self._documents = documents
        self._router = router
        self._targets = targets
        self._events = events
        self._beat = Beat(interval)
        self._known: dict[str, int] = {}
        self._looking = asyncio.Lock()
        self._reachable = True

    async def run(self) -> None:
        """Poll until stopped."""
        async with beside(self._follow_events()):
            async for _ in self._beat:
                await self._look()
        await self._targets.close()

    def stop(self) -> None:
        """Let `run` return soon."""
        self._beat.stop()

    def wake(self) -> None:
        """Have the loop look at once."""
        self._beat.wake()

    async def sync(self) -> None:
        """Put the documents that changed into effect.

        Raises:
            DependencyUnavailable, psycopg.Error: Postgres does not answer.
        """
        async with self._looking:
            changed = await self._documents.changes(self._known)
            plans = dict(self._router.plans)
            for revision in changed:
                self._put(plans, revision)
            if changed:
                self._router.replace(plans)
        self._targets.ensure({model: _references(plan) for model, plan in self._router.plans.items()})

    async def _look(self) -> None:
        try:
            await self.sync()
        except (DependencyUnavailable, psycopg.Error) as error:
            if self._reachable:
                log.warning("traffic_unreachable", cause=type(error).__name__)
            self._reachable = False
            return
        self._reachable = True

    async def _follow_events(self) -> None:
        async for event in self._events:
            if event.type == TrafficChanged.event_type:
                self._beat.wake()

    def _put(self, plans: dict[str, Plan], revision: Revision) -> None:
        self._known[revision.model] = revision.revision
        REVISION.labels(revision.model).set(0 if revision.document is None else revision.revision)
        if revision.document is None:
            plans.pop(revision.model, None)
        else:
            plans[revision.model] = compile_plan(
                revision.model, revision.revision, revision.document, revision.epochs, revision.began
            )
        log.info("traffic_in_effect", model=revision.model, revision=revision.revision, action=revision.action)


def _references(plan: Plan) -> list[str]:
    primary = [] if plan.document.primary == PRODUCTION else [f"@{plan.document.primary}"]
    return primary + [target.reference for target in plan.document.targets()]
