"""Why an answer is less than expected, in words."""

from collections.abc import Sequence

from services.search.fusion import Fused
from services.search.query.plan import Plan

WAITING = "Items that meet the filters still wait for their embedding."
NOTHING_EMBEDDED = "There is no embedded item."
NOTHING_MATCHING = "No embedded item meets the filters."


def emptiness(plan: Plan | None, candidates: Sequence[Fused]) -> str | None:
    """Say why vectors found nothing, when words found nothing either: these know items that no model could embed."""
    if plan is None or plan.matching or candidates:
        return None
    return NOTHING_MATCHING if plan.filtered else NOTHING_EMBEDDED
