"""When a version on a part of the traffic is worse than the one it is compared with, by more than chance explains.

Over the window, and once both sides have `min_requests` that say something about the version:

* errors: its error rate exceeds the other's by more than `error_margin`, and the e-value against "it exceeds it by no
  more than that" is at least 1,000;
* latency: more than 1 % of its answers take longer than `p99_ratio` times the other's 99th percentile plus
  `p99_slack_ms`, which is to say that its own 99th percentile lies above that, and at some edge x of the histogram the
  e-value against "no larger a share of its answers takes longer than `p99_ratio` x + `p99_slack_ms` than of the other's
  takes longer than x" is at least 102,000.

The e-values are those of `sequential.bounded`. They count both sides, since the percentile of a few answers is itself
left to chance; and with 102 edges to choose from, each has to give 102 times the evidence (the union bound). So in one
window, however many looks are taken while it fills, each half stops by chance with probability 0.001 at most: the first
a version whose error rate is within the margin, the second one that at every percentile takes no longer than the ratio
and the slack allow. Both suppose that the answers of a window are independent and alike.

While the other side has fewer than `min_requests` there is nothing to compare with, as when all traffic goes to a
canary. A version is then stopped when it fails more than half of its requests, and more by `error_margin` than what is
known of the other; the e-value against "it fails no more than half" is at least 1,000. Latency is not judged then.
"""

from dataclasses import dataclass
from math import log
from typing import Literal

from services.model_serving.traffic.document import AbortRule
from services.model_serving.traffic.histogram import LATENCY
from services.model_serving.traffic.sequential.bounded import Counts, log_evidence, log_evidence_of_share
from services.model_serving.traffic.tally import Tally

ENOUGH = log(1000.0)
ENOUGH_AT_ANY_EDGE = ENOUGH + log(LATENCY.size)
FAILING_SHARE = 0.5
SLOW_SHARE = 0.01
P99 = 1 - SLOW_SHARE

Cause = Literal["error_rate", "latency_p99"]


@dataclass(frozen=True, slots=True)
class Breach:
    """Why a version is stopped.

    Attributes:
        cause: which half of the rule.
        observed: its error rate, or its 99th percentile in seconds.
        reference: the same of the version it is compared with; None when that had too few requests.
        requests: how many of its requests were looked at.
    """

    cause: Cause
    observed: float
    reference: float | None
    requests: int

    def __str__(self) -> str:
        """Say it for an operator."""
        if self.reference is None:
            return f"error rate {self.observed:.2%} over {self.requests} requests, with too few to compare with"
        if self.cause == "error_rate":
            found = f"error rate {self.observed:.2%} against {self.reference:.2%}"
        else:
            found = f"99th percentile {self.observed * 1000:.1f} ms against {self.reference * 1000:.1f} ms"
        return f"{found} of the version it is compared with, over {self.requests} requests"


def judge(reference: Tally, suspect: Tally, rule: AbortRule) -> Breach | None:
    """Return why `suspect` should be stopped; None when nothing speaks for it.

    Args:
        reference: the window of the primary, or of the control.
        suspect: the window of the canary, or of an arm.
        rule: the margins.
    """
    if not rule.enabled or suspect.judged < rule.min_requests:
        return None
    if reference.judged < rule.min_requests:
        return _failing(reference, suspect, rule)
    return _errors(reference, suspect, rule) or _latency(reference, suspect, rule)


def _failing(reference: Tally, suspect: Tally, rule: AbortRule) -> Breach | None:
    observed = suspect.errors / suspect.judged
    if observed <= max(FAILING_SHARE, (reference.error_rate or 0.0) + rule.error_margin):
        return None
    evidence = log_evidence_of_share(_errors_of(suspect), FAILING_SHARE)
    return Breach("error_rate", observed, None, suspect.judged) if evidence >= ENOUGH else None


def _errors(reference: Tally, suspect: Tally, rule: AbortRule) -> Breach | None:
    expected, observed = reference.errors / reference.judged, suspect.errors / suspect.judged
    if observed <= expected + rule.error_margin:
        return None
    evidence = log_evidence(_errors_of(reference), _errors_of(suspect), rule.error_margin)
    return Breach("error_rate", observed, expected, suspect.judged) if evidence >= ENOUGH else None


def _errors_of(tally: Tally) -> Counts:
    return Counts(tally.errors, tally.judged - tally.errors)


def _latency(reference: Tally, suspect: Tally, rule: AbortRule) -> Breach | None:
    expected, observed = reference.percentile(P99), suspect.percentile(P99)
    if expected is None or observed is None:
        return None
    limit = expected * rule.p99_ratio + rule.p99_slack_ms / 1000
    answered = sum(suspect.latency)
    if min(sum(reference.latency), answered) < rule.min_requests or _longer(suspect, limit) <= SLOW_SHARE * answered:
        return None
    slower = any(_slower(reference, suspect, LATENCY.edge(index), rule) for index in range(LATENCY.size))
    return Breach("latency_p99", observed, expected, answered) if slower else None


def _slower(reference: Tally, suspect: Tally, seconds: float, rule: AbortRule) -> bool:
    limit = seconds * rule.p99_ratio + rule.p99_slack_ms / 1000
    usual, slow = _slow(reference, seconds), _slow(suspect, limit)
    return slow.mean > usual.mean and log_evidence(usual, slow) >= ENOUGH_AT_ANY_EDGE


def _slow(tally: Tally, seconds: float) -> Counts:
    longer = _longer(tally, seconds)
    return Counts(longer, sum(tally.latency) - longer)


def _longer(tally: Tally, seconds: float) -> int:
    """Return how many answers surely took longer: those of the bucket that it lies in are not counted."""
    return sum(tally.latency[LATENCY.index(seconds) + 1 :])
