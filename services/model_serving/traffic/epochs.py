"""Since which revision each part of a document has been what it is; measurements of different lives are kept apart."""

from collections.abc import Mapping

from services.model_serving.traffic.document import Experiment, TrafficDocument

PRIMARY, CANARY, EXPERIMENT = "primary", "canary", "experiment"
Epochs = Mapping[str, int]


def arm_label(name: str) -> str:
    """Return the route of an arm, as the response header and the metrics have it."""
    return f"ab:{name}"


def shadow_label(reference: str) -> str:
    """Return what a shadow is called where measurements are kept."""
    return f"shadow:{reference}"


def next_epochs(
    document: TrafficDocument | None, before: TrafficDocument | None, known: Epochs, revision: int
) -> Epochs:
    """Return the epochs of a document that replaces another.

    Args:
        document: the new one; None when the old one is cleared.
        before: the old one.
        known: its epochs.
        revision: of the new one.
    """
    new, old = _identities(document), _identities(before)
    return {
        part: known.get(part, revision) if old.get(part) == identity else revision for part, identity in new.items()
    }


def _identities(document: TrafficDocument | None) -> dict[str, object]:
    """Return, per running part of a document, what must stay equal for it to be the same part."""
    if document is None:
        return {}
    parts: dict[str, object] = {PRIMARY: document.primary}
    if document.canary is not None and document.canary.percent > 0:
        parts[CANARY] = document.canary.reference
    for shadow in document.shadow:
        parts[shadow_label(shadow.reference)] = shadow.tolerance
    if document.experiment is not None:
        parts[EXPERIMENT] = _identity_of(document.experiment)
        for arm in document.experiment.arms:
            if not arm.stopped:
                parts[arm_label(arm.name)] = (document.experiment.name, arm.reference)
    return parts


def _identity_of(experiment: Experiment) -> object:
    return experiment.name, experiment.metric, tuple((arm.name, arm.reference) for arm in experiment.arms)
