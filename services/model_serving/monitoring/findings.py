"""What is stored about a window of a version, as JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from mlplatform.monitoring.drift import ColumnDrift
from mlplatform.monitoring.profile import ColumnProfile, Profile
from services.model_serving.monitoring.quality import Quality

MISSING = "missing"
OTHER = "other"


def bins_of(column: ColumnProfile) -> list[str]:
    """Name the bins of a column, the missing values last."""
    if column.kind == "categorical":
        return [*column.categories, OTHER, MISSING]
    if not column.edges:
        return ["all", MISSING]
    edges = [f"{edge:.4g}" for edge in column.edges]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"up to {edges[0]}", *between, f"over {edges[-1]}", MISSING]


def column_findings(profile: Profile, found: Sequence[ColumnDrift]) -> list[dict[str, Any]]:
    """Return the findings of each column, with the names of its bins; one that overflowed is left out."""
    described = []
    for drift in found:
        if not _is_finite(drift):
            continue
        columns = profile.inputs if drift.part == "input" else profile.predictions
        described.append({**asdict(drift), "excess_psi": excess(drift), "bins": bins_of(columns[drift.name])})
    return described


def excess(drift: ColumnDrift) -> float:
    """Return the stability index above what chance gives."""
    return max(0.0, drift.psi - drift.psi_noise)


def _is_finite(drift: ColumnDrift) -> bool:
    return all(math.isfinite(figure) for figure in asdict(drift).values() if isinstance(figure, float))


def quality_findings(found: Sequence[Quality]) -> list[dict[str, Any]]:
    """Return the quality on each route."""
    return [asdict(quality) for quality in found]
