"""Stores what came of predictions."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from services.model_serving.monitoring.labels import repository
from services.model_serving.monitoring.labels.outcomes import Outcomes
from services.model_serving.monitoring.labels.repository import Change, Key, Labelled
from services.model_serving.monitoring.labels.resolution import Logged, Resolved, resolve, result
from services.model_serving.monitoring.labels.schemas import FeedbackItem, FeedbackResult
from services.model_serving.monitoring.metrics import FEEDBACK
from services.model_serving.monitoring.policy import LogPolicies

BATCH = 2000
"""Labels in one statement: the event loop makes its values."""


@dataclass(slots=True)
class Wanted:
    """What the items of one call come to.

    Attributes:
        labelled: By key, sorted so that two calls with the same labels cannot wait for each other.
        valuers: The item whose value a key gets; the last one that has any.
    """

    labelled: dict[Key, Labelled] = field(default_factory=dict)
    valuers: dict[Key, Resolved] = field(default_factory=dict)


class Feedback:
    """Takes labels.

    Args:
        database: Where they go.
        policies: Say whether a request was to be logged.
        outcomes: Is told what predictions were worth.
        horizon: Age up to which an answer can be labelled; the log keeps none for longer.
    """

    def __init__(self, database: Database, policies: LogPolicies, outcomes: Outcomes, *, horizon: timedelta) -> None:
        self._database = database
        self._policies = policies
        self._outcomes = outcomes
        self._horizon = horizon

    async def take(self, tenant: str, items: Sequence[FeedbackItem]) -> list[FeedbackResult]:
        """Store what can be stored, and say of each item what became of it.

        The same item may be sent again: it then changes nothing, and counts once for an experiment. An id that was used
        for several requests means the newest one.

        Raises:
            DependencyUnavailable: Postgres is down; nothing is stored.
        """
        ids = sorted({item.key[0] for item in items})
        async with self._database.transaction(tenant) as connection:
            logged = await repository.find_logged(connection, ids, datetime.now(UTC) - self._horizon)
        resolved = await asyncio.to_thread(self._resolve, items, logged)
        wanted = await asyncio.to_thread(_gather, resolved)
        stored: dict[Key, Change] = {}
        if wanted.labelled:
            async with self._database.transaction(tenant) as connection:
                labelled = list(wanted.labelled.values())
                for start in range(0, len(labelled), BATCH):
                    stored |= await repository.store(connection, labelled[start : start + BATCH])
        results = await asyncio.to_thread(_conclude, resolved, stored)
        for place, one in enumerate(resolved):
            if isinstance(one, Resolved) and (detail := self._tell(one, wanted, stored)) is not None:
                results[place] = results[place].model_copy(update={"detail": detail})
            FEEDBACK.labels(results[place].status).inc()
        return results

    def _resolve(self, items: Sequence[FeedbackItem], logged: Sequence[Logged]) -> list[Resolved | FeedbackResult]:
        found: dict[str, list[Logged]] = defaultdict(list)
        for row in logged:
            found[row["request_id"]].append(row)
        return [resolve(item, found[item.key[0]], self._policies) for item in items]

    def _tell(self, item: Resolved, wanted: Wanted, stored: Mapping[Key, Change]) -> str | None:
        first = item.labelled[0]
        change = stored.get(first.key)
        if item.value is None or wanted.valuers.get(first.key) is not item or change is None or not change.is_valued:
            return None
        try:
            self._outcomes.record_outcome(
                first.model, item.route, item.value, version=item.version, predicted_at=first.predicted_at
            )
        except PlatformError as error:
            return f"stored, and not counted for the experiment: {error.detail}"
        return None


def _gather(resolved: Sequence[Resolved | FeedbackResult]) -> Wanted:
    """Join items of the same prediction: a later one adds to an earlier one, and goes before it."""
    labelled: dict[Key, Labelled] = {}
    wanted = Wanted()
    for one in resolved:
        if not isinstance(one, Resolved):
            continue
        for new in one.labelled:
            old = labelled.get(new.key)
            labelled[new.key] = new if old is None else _join(old, new)
        if one.value is not None:
            wanted.valuers[one.labelled[0].key] = one
    wanted.labelled = {key: labelled[key] for key in sorted(labelled)}
    return wanted


def _join(old: Labelled, new: Labelled) -> Labelled:
    label = old.label if new.label is None else new.label
    return replace(new, label=label, value=old.value if new.value is None else new.value)


def _conclude(resolved: Sequence[Resolved | FeedbackResult], stored: Mapping[Key, Change]) -> list[FeedbackResult]:
    results = []
    for one in resolved:
        if isinstance(one, FeedbackResult):
            results.append(one)
            continue
        changes = [stored[labelled.key] for labelled in one.labelled if labelled.key in stored]
        if not changes:
            results.append(result("unchanged"))
        else:
            results.append(result("stored" if any(change.is_new for change in changes) else "updated"))
    return results
