"""Taking the traffic away from a canary or an arm."""

from structlog import get_logger

from mlplatform.audit.event import Actor
from services.model_serving.traffic.document import TrafficDocument
from services.model_serving.traffic.documents import Documents, Revision
from services.model_serving.traffic.epochs import CANARY, arm_label
from services.model_serving.traffic.errors import NothingToAbort, PreconditionFailed
from services.model_serving.traffic.metrics import ABORTS
from services.model_serving.traffic.rule import Breach

GUARD = "traffic-guard"
ATTEMPTS = 5

log = get_logger(__name__)


def without(document: TrafficDocument | None, label: str) -> TrafficDocument | None:
    """Return a document in which a canary has 0 percent or an arm is stopped; None when it has no traffic anyway."""
    if document is None:
        return None
    if label == CANARY:
        if document.canary is None or not document.canary.percent:
            return None
        return document.model_copy(update={"canary": document.canary.model_copy(update={"percent": 0.0})})
    experiment = document.experiment
    if experiment is None or not any(arm_label(arm.name) == label and not arm.stopped for arm in experiment.arms):
        return None
    arms = tuple(
        arm.model_copy(update={"stopped": True}) if arm_label(arm.name) == label else arm for arm in experiment.arms
    )
    return document.model_copy(update={"experiment": experiment.model_copy(update={"arms": arms})})


def running(document: TrafficDocument | None) -> list[str]:
    """Return the labels of what could be stopped: a canary with traffic, and the arms besides the control."""
    if document is None:
        return []
    canary = [CANARY] if document.canary is not None and document.canary.percent else []
    arms = () if document.experiment is None else document.experiment.arms[1:]
    return canary + [arm_label(arm.name) for arm in arms if not arm.stopped]


async def abort(documents: Documents, before: Revision, label: str, *, actor: Actor, reason: str | None) -> Revision:
    """Stop a canary or an arm because somebody says so.

    Raises:
        NothingToAbort: it has no traffic.
        PreconditionFailed: the document changed meanwhile.
    """
    document = without(before.document, label)
    if document is None:
        raise NothingToAbort(f"Model {before.model!r} sends no traffic to {label}; nothing was changed.")
    return await documents.replace(before, document, actor=actor, reason=reason, action="abort")


async def abort_by_rule(documents: Documents, model: str, label: str, epoch: int, breach: Breach) -> bool:
    """Stop what the rule is broken by; return whether this replica did it, and not another or an operator.

    Compare-and-set makes one replica the one. What was started anew since the measurements is left alone.

    Raises:
        DependencyUnavailable, psycopg.Error: Postgres does not answer.
    """
    for _ in range(ATTEMPTS):
        before = await documents.read(model)
        document = without(before.document, label) if before.epochs.get(label) == epoch else None
        if document is None:
            return False
        try:
            after = await documents.replace(before, document, name=GUARD, reason=str(breach), action="abort")
        except PreconditionFailed:
            continue
        ABORTS.labels(model, label, breach.cause).inc()
        log.error("traffic_aborted", model=model, route=label, revision=after.revision, reason=str(breach))
        return True
    return False
