"""Evidence about means of outcomes without known bounds: valid at every moment of looking, in the limit.

With m the difference of the arms' means, V = s0²/n0 + s1²/n1 its estimated variance, and the alternatives weighted by a
normal density of variance T = (rho s)², s² being the pooled variance, the likelihood ratio against "the difference is
d" is

    E(d) = sqrt(V / (V + T)) * exp(T (m - d)² / (2 V (V + T))).

The d with E(d) < 1/alpha are a confidence sequence in the limit of many outcomes: the probability to miss the true
difference at any look from a first one on tends to alpha as that first look comes later. That is why nothing is said
before `FIRST_LOOK` outcomes of each arm.

Sources: R. Johari, P. Koomen, L. Pekelis, D. Walsh, Always valid inference: continuous monitoring of A/B tests,
Operations Research 70 (2022), the mixture sequential probability ratio test; I. Waudby-Smith, D. Arbour, R. Sinha,
E. Kennedy, A. Ramdas, Time-uniform central limit theory and asymptotic confidence sequences, Ann. Stat. 52 (2024), why
the estimated variance may be plugged in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log, sqrt

FIRST_LOOK = 100
"""Outcomes of each arm before anything is said."""
TYPICAL_EFFECT = 0.1
"""`rho`: differences, in standard deviations, that the test is best at; others only take it longer."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Outcomes of an arm, in a form that adds up without cancellation.

    Attributes:
        count: number of outcomes.
        mean: their mean.
        deviations: sum of their squared deviations from it.
    """

    count: int = 0
    mean: float = 0.0
    deviations: float = 0.0

    def with_value(self, value: float) -> "Moments":
        """Return the moments with one more outcome. B. P. Welford, Technometrics 4 (1962)."""
        count = self.count + 1
        step = value - self.mean
        mean = self.mean + step / count
        return Moments(count, mean, self.deviations + step * (value - mean))

    def with_all(self, other: "Moments") -> "Moments":
        """Return the moments of both. T. Chan, G. Golub, R. LeVeque, The American Statistician 37 (1983)."""
        count = self.count + other.count
        if not count:
            return self
        step = other.mean - self.mean
        mean = self.mean + step * other.count / count
        spread = step * step * self.count * other.count / count
        return Moments(count, mean, self.deviations + other.deviations + spread)

    @property
    def variance(self) -> float:
        """Unbiased variance; 0 of fewer than two."""
        return self.deviations / (self.count - 1) if self.count > 1 else 0.0


def merge(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all parts together."""
    total = Moments()
    for part in parts:
        total = total.with_all(part)
    return total


def log_evidence(control: Moments, treatment: Moments, difference: float = 0.0) -> float:
    """Return the logarithm of the e-value against "the treatment's mean is the control's plus `difference`".

    It is 0, which is no evidence, before the first look and where nothing varies.
    """
    if min(control.count, treatment.count) < FIRST_LOOK:
        return 0.0
    variance, mixing = _variances(control, treatment)
    if not variance:
        return 0.0
    off = treatment.mean - control.mean - difference
    return 0.5 * log(variance / (variance + mixing)) + mixing * off * off / (2 * variance * (variance + mixing))


def interval(control: Moments, treatment: Moments, alpha: float) -> tuple[float, float] | None:
    """Return the differences that the outcomes do not contradict; None before the first look, and where nothing varies.

    Args:
        control: outcomes of the control.
        treatment: outcomes of the treatment.
        alpha: probability, in the limit, that the true difference is ever outside, at any of all looks.
    """
    variance, mixing = _variances(control, treatment)
    if min(control.count, treatment.count) < FIRST_LOOK or not variance:
        return None
    total = variance + mixing
    reach = sqrt(variance * total / mixing * (-2 * log(alpha) + log(total / variance)))
    middle = treatment.mean - control.mean
    return middle - reach, middle + reach


def p_value(log_evidence: float) -> float:
    """Return the always-valid p-value of an e-value: its inverse, 1 at most."""
    return min(1.0, exp(-log_evidence)) if log_evidence > 0 else 1.0


def _variances(control: Moments, treatment: Moments) -> tuple[float, float]:
    if not control.count or not treatment.count:
        return 0.0, 0.0
    pooled = (control.deviations + treatment.deviations) / max(1, control.count + treatment.count - 2)
    return control.variance / control.count + treatment.variance / treatment.count, TYPICAL_EFFECT**2 * pooled
