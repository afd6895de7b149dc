"""When a version on a part of the traffic is worse than the one it is compared with, by more than chance explains.

Over the window, and once both sides have `min_requests` that say something about the version:

* errors: its error rate exceeds the other's by more than `error_margin`, and the e-value against "it exceeds it by no
  more than that" is at least 1,000;
* latency: more than 1 % of its answers take longer than `p99_ratio` times the other's 99th percentile plus
  `p99_slack_ms`, which is to say that its own 99th percentile lies above that, and the e-value against "no more than
  1 % do" is at least 1,000.

The e-values are those of `sequential.bounded`. One window alone exceeds 1,000 by chance with probability 0.001 at most,
however many looks are taken while it fills.
"""

from dataclasses import dataclass
from math import log
from typing import Literal

from services.model_serving.traffic.document import AbortRule
from services.model_serving.traffic.histogram import LATENCY
from services.model_serving.traffic.sequential.bounded import Counts, log_evidence, log_evidence_of_share
from services.model_serving.traffic.tally import Tally

ENOUGH = log(1000.0)
SLOW_SHARE = 0.01
P99 = 1 - SLOW_SHARE

Cause = Literal["error_rate", "latency_p99"]


@dataclass(frozen=True, slots=True)
class Breach:
    """Why a version is stopped.

    Attributes:
        cause: which half of the rule.
        observed: its error rate, or its 99th percentile in seconds.
        reference: the same of the version it is compared with.
        requests: how many of its requests were looked at.
    """

    cause: Cause
    observed: float
    reference: float
    requests: int

    def __str__(self) -> str:
        """Say it for an operator."""
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
    if not rule.enabled or min(reference.judged, suspect.judged) < rule.min_requests:
        return None
    return _errors(reference, suspect, rule) or _latency(reference, suspect, rule)


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
    slow = sum(suspect.latency[LATENCY.index(limit) + 1 :])
    if answered < rule.min_requests or sum(reference.latency) < rule.min_requests or slow <= SLOW_SHARE * answered:
        return None
    evidence = log_evidence_of_share(Counts(slow, answered - slow), SLOW_SHARE)
    return Breach("latency_p99", observed, expected, answered) if evidence >= ENOUGH else None
