"""Whether a window of inputs and predictions still looks as it did in training.

A column is flagged when chance does not explain it, and raises an alarm when the change also matters:

* Kolmogorov-Smirnov for numbers and chi-squared for categories, beside the population stability index with its own null
  distribution, and Fisher's test for the shares of missing values and of categories unseen in training;
* the least probability of a column counts as many times as it had tests (Bonferroni);
* all columns together are corrected by Benjamini and Hochberg;
* an alarm asks for a stability index of `minimum_psi` above what chance gives for that many rows, since thousands of
  rows make the smallest change significant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mlplatform.monitoring.columns import Column
from mlplatform.monitoring.profile import ColumnProfile, Profile
from mlplatform.monitoring.statistics import (
    Result,
    adjust,
    chi_square,
    kolmogorov_smirnov,
    population_stability,
    share_test,
    stability_noise,
)
from mlplatform.monitoring.values import Kind, read_values

Level = Literal["none", "minor", "major"]
Part = Literal["input", "prediction"]

ALPHA = 0.01
MINIMUM_PSI = 0.1
MINIMUM_ROWS = 200


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """What was found about one column.

    Attributes:
        name: The column.
        part: Whether it goes in or comes out.
        kind: How it is described.
        test: Name of the test beside the stability index.
        statistic: Of that test.
        p: Of that test.
        psi: Population stability index, the missing values being a bin.
        psi_p: Its probability when nothing has changed.
        psi_noise: The index to expect when nothing has changed.
        missing: Share of missing values in the window.
        reference_missing: Share of missing values in training.
        p_column: The least probability, times the number of tests.
        p_adjusted: The same, corrected for the number of columns.
        level: `minor` is significant; `major` matters too.
        counts: Rows of the window by bin, missing ones last.
        reference_counts: Rows of the reference by bin, missing ones last.
    """

    name: str
    part: Part
    kind: Kind
    test: Literal["ks", "chi_square"]
    statistic: float
    p: float
    psi: float
    psi_p: float
    psi_noise: float
    missing: float
    reference_missing: float
    p_column: float
    p_adjusted: float
    level: Level
    counts: tuple[int, ...]
    reference_counts: tuple[int, ...]


def compare(
    profile: Profile,
    inputs: Mapping[str, Column],
    predictions: Mapping[str, Column],
    *,
    alpha: float = ALPHA,
    minimum_psi: float = MINIMUM_PSI,
) -> tuple[ColumnDrift, ...]:
    """Compare a window with a reference.

    Args:
        profile: The reference.
        inputs: Columns of the window; those that the profile does not know are left out.
        predictions: Columns of the window.
        alpha: Probability of flagging anything when nothing has changed.
        minimum_psi: Stability index above chance that an alarm asks for.

    Returns:
        A finding for each column that both know, in the order of the profile.
    """
    found = [
        compare_column(name, part, reference, column)
        for part, name, reference, column in _pairs(profile, inputs, predictions)
    ]
    adjusted = adjust([finding.p_column for finding in found])
    return tuple(
        replace(finding, p_adjusted=p, level=_level(finding, p, alpha, minimum_psi))
        for finding, p in zip(found, adjusted, strict=True)
    )


def compare_column(name: str, part: Part, reference: ColumnProfile, column: Column) -> ColumnDrift:
    """Compare one column, without a look at the others."""
    values = read_values(column)
    numbers = None if reference.kind == "categorical" else reference.numbers(values)
    present = len(values.present) if numbers is None else len(numbers)
    missing = values.rows - present
    counts = (*reference.count(values), missing)
    reference_counts = (*reference.counts, reference.missing)
    stability = population_stability(reference_counts, counts)
    probabilities = [stability.p]
    test: Result | None
    if numbers is None:
        test = chi_square(reference_counts, counts)
    else:
        test = kolmogorov_smirnov(reference.quantiles, reference.rows - reference.missing, numbers) if present else None
    if test is not None:
        probabilities.append(test.p)
    if missing or reference.missing:
        probabilities.append(share_test(reference.missing, reference.rows, missing, values.rows).p)
    if numbers is None and (counts[-2] or reference_counts[-2]):
        probabilities.append(share_test(reference_counts[-2], reference.rows, counts[-2], values.rows).p)
    least = min(1.0, min(probabilities) * len(probabilities))
    return ColumnDrift(
        name=name,
        part=part,
        kind=reference.kind,
        test="chi_square" if numbers is None else "ks",
        statistic=test.statistic if test else 1.0,
        p=test.p if test else 0.0,
        psi=stability.statistic,
        psi_p=stability.p,
        psi_noise=stability_noise(reference_counts, counts),
        missing=missing / values.rows,
        reference_missing=reference.missing / reference.rows,
        p_column=least,
        p_adjusted=least,
        level="none",
        counts=counts,
        reference_counts=reference_counts,
    )


def _pairs(
    profile: Profile, inputs: Mapping[str, Column], predictions: Mapping[str, Column]
) -> Iterator[tuple[Part, str, ColumnProfile, Column]]:
    for name, reference in profile.inputs.items():
        if len(inputs.get(name, ())):
            yield "input", name, reference, inputs[name]
    for name, reference in profile.predictions.items():
        if len(predictions.get(name, ())):
            yield "prediction", name, reference, predictions[name]


def _level(finding: ColumnDrift, p: float, alpha: float, minimum_psi: float) -> Level:
    if p >= alpha:
        return "none"
    return "major" if finding.psi - finding.psi_noise >= minimum_psi else "minor"
