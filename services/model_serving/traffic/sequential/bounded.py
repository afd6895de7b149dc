"""Evidence about outcomes that are 0 or 1, or lie between: exact at every sample size and every moment of looking.

With an arm of s successes and f failures, the mixture of the likelihoods of all success rates by Jeffreys' prior is
B(1/2 + s, 1/2 + f) / B(1/2, 1/2). The product of the mixtures of both arms, divided by the likelihood of the true
rates, is a non-negative martingale that starts at 1. Dividing by the greatest likelihood of any pair of rates that
differ by d instead can only make it smaller, so

    E(d) = mixture(control) * mixture(treatment) / max over p of L(p, p + d)

is an e-process for "the difference is d": by Ville's inequality it ever reaches 1/alpha with probability alpha at most,
whatever the allocation and whenever one looks. The differences with E(d) < 1/alpha are a confidence sequence. The same
holds for outcomes in [0, 1] with a constant mean, since (q/p)^x ((1-q)/(1-p))^(1-x) is convex in x.

Sources: H. Robbins, Statistical methods related to the law of the iterated logarithm, Ann. Math. Stat. 41 (1970);
L. Wasserman, A. Ramdas, S. Balakrishnan, Universal inference, PNAS 117 (2020), section 7 on the sequential case;
S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences,
Ann. Stat. 49 (2021).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, lgamma, log, log1p

HALVINGS = 60
JEFFREYS = 0.5
LOG_BETA_PRIOR = 2 * lgamma(JEFFREYS) - lgamma(2 * JEFFREYS)


@dataclass(frozen=True, slots=True)
class Counts:
    """Outcomes of an arm; of numbers in [0, 1], `successes` is their sum.

    Attributes:
        successes: sum of the outcomes.
        failures: number of the outcomes less their sum.
    """

    successes: float
    failures: float

    @property
    def total(self) -> float:
        """Number of outcomes."""
        return self.successes + self.failures

    @property
    def mean(self) -> float:
        """Mean outcome; 1/2 when there is none."""
        return self.successes / self.total if self.total else 0.5


def log_evidence_of_share(counts: Counts, share: float) -> float:
    """Return the logarithm of the e-value against "successes have this share".

    When more succeeded than that, it speaks as much or more against every smaller share.
    """
    return _log_mixture(counts) - _log_likelihood(counts, share)


def log_evidence(control: Counts, treatment: Counts, difference: float = 0.0) -> float:
    """Return the logarithm of the e-value against "the treatment's mean is the control's plus `difference`".

    Args:
        control: outcomes of the control.
        treatment: outcomes of the treatment.
        difference: in [-1, 1].
    """
    greatest = _greatest_likelihood(control, treatment, difference)
    return _log_mixture(control) + _log_mixture(treatment) - greatest


def interval(control: Counts, treatment: Counts, alpha: float) -> tuple[float, float]:
    """Return the differences that the outcomes do not contradict, each end found by bisection.

    Args:
        control: outcomes of the control.
        treatment: outcomes of the treatment.
        alpha: probability that the true difference is ever outside, at any of all looks.
    """
    limit = -log(alpha)

    def fits(difference: float) -> bool:
        return log_evidence(control, treatment, difference) < limit

    middle = treatment.mean - control.mean
    return _edge(fits, middle, -1.0), _edge(fits, middle, 1.0)


def _edge(fits: Callable[[float], bool], inside: float, outside: float) -> float:
    if fits(outside):
        return outside
    for _ in range(HALVINGS):
        between = (inside + outside) / 2
        if fits(between):
            inside = between
        else:
            outside = between
    return outside


def _log_mixture(counts: Counts) -> float:
    first, second = JEFFREYS + counts.successes, JEFFREYS + counts.failures
    return lgamma(first) + lgamma(second) - lgamma(first + second) - LOG_BETA_PRIOR


def _log_likelihood(counts: Counts, rate: float) -> float:
    return _times_log(counts.successes, rate) + (
        0.0 if not counts.failures else -inf if rate >= 1 else counts.failures * log1p(-rate)
    )


def _times_log(times: float, value: float) -> float:
    if not times:
        return 0.0
    return times * log(value) if value > 0 else -inf


def _greatest_likelihood(control: Counts, treatment: Counts, difference: float) -> float:
    """Maximise L(p, p + difference), whose logarithm is concave in p, by the sign of its slope."""
    if difference == 0:
        both = Counts(control.successes + treatment.successes, control.failures + treatment.failures)
        return _log_likelihood(both, both.mean)
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        if _slope(control, rate) + _slope(treatment, rate + difference) > 0:
            low = rate
        else:
            high = rate
    rate = (low + high) / 2
    return _log_likelihood(control, rate) + _log_likelihood(treatment, rate + difference)


def _slope(counts: Counts, rate: float) -> float:
    rising = 0.0 if not counts.successes else inf if rate <= 0 else counts.successes / rate
    falling = 0.0 if not counts.failures else inf if rate >= 1 else counts.failures / (1 - rate)
    return rising - falling
