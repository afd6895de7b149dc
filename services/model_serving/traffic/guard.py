"""Watches canaries and arms, and stops one that the rule finds worse."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
from structlog import get_logger

from mlplatform.errors import DependencyUnavailable
from mlplatform.events import Beat
from services.model_serving.traffic.aborting import abort_by_rule, running
from services.model_serving.traffic.documents import Documents
from services.model_serving.traffic.epochs import PRIMARY, arm_label
from services.model_serving.traffic.exchange import Exchange
from services.model_serving.traffic.plan import Plan
from services.model_serving.traffic.router import TrafficRouter
from services.model_serving.traffic.rule import Breach, judge
from services.model_serving.traffic.tally import Tally
from services.model_serving.traffic.windows import Windows, first_slot, together

log = get_logger(__name__)


class Guard:
    """A loop that sends measurements and judges them: this replica's own, and those of all replicas together.

    What this replica finds worse gets no more traffic from it at once, also while Postgres is down; the document, and
    with it every other replica, follows by compare-and-set. Nothing here ever starts traffic.

    Args:
        documents: where an abort goes.
        router: takes a veto.
        windows: what this replica counted.
        exchange: what all replicas counted.
        interval: between looks.
    """

    def __init__(
        self, documents: Documents, router: TrafficRouter, windows: Windows, exchange: Exchange, interval: timedelta
    ) -> None:
        self._documents = documents
        self._router = router
        self._windows = windows
        self._exchange = exchange
        self._beat = Beat(interval)
        self._tripped: dict[tuple[str, str, int], Breach] = {}

    async def run(self) -> None:
        """Look until stopped; the last measurements are sent before it returns."""
        async for _ in self._beat:
            await self.look()
        await self._exchange.send()

    def stop(self) -> None:
        """Let `run` return soon."""
        self._beat.stop()

    async def look(self) -> None:
        """Send, judge, and stop what is worse."""
        sent = await self._exchange.send()
        guarded = {
            model: plan
            for model, plan in self._router.plans.items()
            if plan.document.abort.enabled and running(plan.document)
        }
        for plan in guarded.values():
            self._judge(plan, None)
        if sent and guarded:
            await self._judge_together(guarded)
        for (model, label, epoch), breach in list(self._tripped.items()):
            await self._stop(model, label, epoch, breach)

    async def _judge_together(self, guarded: Mapping[str, Plan]) -> None:
        longest = max(plan.document.abort.window_seconds for plan in guarded.values())
        try:
            rows = await self._exchange.windows(guarded, lambda now: first_slot(now, longest))
        except (DependencyUnavailable, psycopg.Error) as error:
            log.warning("traffic_windows_unread", cause=type(error).__name__)
            return
        for plan in guarded.values():
            self._judge(plan, [row for row in rows if row["model"] == plan.model])

    def _judge(self, plan: Plan, rows: list[dict[str, Any]] | None) -> None:
        since = first_slot(time.time(), plan.document.abort.window_seconds)
        reference = self._tally(plan, _reference(plan), since, rows)
        for label in running(plan.document):
            key = plan.model, label, plan.epochs[label]
            if key in self._tripped:
                continue
            breach = judge(reference, self._tally(plan, label, since, rows), plan.document.abort)
            if breach is not None:
                self._tripped[key] = breach
                self._router.veto(*key)

    def _tally(self, plan: Plan, label: str, since: int, rows: list[dict[str, Any]] | None) -> Tally:
        epoch = plan.epochs.get(label, plan.revision)
        if rows is None:
            return self._windows.over(plan.model, label, epoch, since)
        found = (row for row in rows if (row["route"], row["epoch"]) == (label, epoch) and row["slot"] >= since)
        return together(found)

    async def _stop(self, model: str, label: str, epoch: int, breach: Breach) -> None:
        try:
            await abort_by_rule(self._documents, model, label, epoch, breach)
        except (DependencyUnavailable, psycopg.Error) as error:
            log.error("traffic_abort_unwritten", model=model, route=label, cause=type(error).__name__)  # noqa: TRY400 (the veto holds, and the next look tries again)
            return
        del self._tripped[model, label, epoch]


def _reference(plan: Plan) -> str:
    experiment = plan.document.experiment
    return PRIMARY if plan.document.canary is not None or experiment is None else arm_label(experiment.arms[0].name)
