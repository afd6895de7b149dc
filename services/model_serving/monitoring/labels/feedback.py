"""Stores what came of predictions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from services.model_serving.monitoring.labels import repository
from services.model_serving.monitoring.labels.outcomes import Outcomes
from services.model_serving.monitoring.labels.repository import Change, Key, Labelled
from services.model_serving.monitoring.labels.resolution import Logged, Resolved, resolve, result
from services.model_serving.monitoring.labels.schemas import FeedbackItem, FeedbackResult
from services.model_serving.monitoring.metrics import FEEDBACK
from services.model_serving.monitoring.policy import LogPolicies


class Feedback:
    """Takes labels.

    Args:
        database: Where they go.
        policies: Say whether a request was to be logged.
        outcomes: Is told what predictions were worth.
    """

    def __init__(self, database: Database, policies: LogPolicies, outcomes: Outcomes) -> None:
        self._database = database
        self._policies = policies
        self._outcomes = outcomes

    async def take(self, tenant: str, items: Sequence[FeedbackItem]) -> list[FeedbackResult]:
        """Store what can be stored, and say of each item what became of it.

        The same item may be sent again: it then changes nothing, and counts once for an experiment.

        Raises:
            DependencyUnavailable: Postgres is down; nothing is stored.
        """
        async with self._database.transaction(tenant) as connection:
            found: dict[str, list[Logged]] = defaultdict(list)
            for row in await repository.find_logged(connection, sorted({item.key[0] for item in items})):
                found[row["request_id"]].append(row)
            resolved = [resolve(item, found[item.key[0]], self._policies) for item in items]
            wanted: dict[Key, Labelled] = {}
            for one in resolved:
                if isinstance(one, Resolved):
                    wanted |= {labelled.key: labelled for labelled in one.labelled}
            stored = await repository.store(connection, list(wanted.values())) if wanted else {}
        results = [one if isinstance(one, FeedbackResult) else self._conclude(one, stored) for one in resolved]
        for one in results:
            FEEDBACK.labels(one.status).inc()
        return results

    def _conclude(self, item: Resolved, stored: Mapping[Key, Change]) -> FeedbackResult:
        changes = [stored[labelled.key] for labelled in item.labelled if labelled.key in stored]
        detail = None
        if item.value is not None and any(change.is_valued for change in changes):
            detail = self._tell(item, item.value)
        if not changes:
            return result("unchanged")
        return result("stored" if any(change.is_new for change in changes) else "updated", detail)

    def _tell(self, item: Resolved, value: float) -> str | None:
        first = item.labelled[0]
        try:
            self._outcomes.record_outcome(
                first.model, item.route, value, version=item.version, predicted_at=first.predicted_at
            )
        except PlatformError as error:
            return f"stored, and not counted for the experiment: {error.detail}"
        return None
