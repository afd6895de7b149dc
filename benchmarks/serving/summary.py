"""Figures of a run, brought together: medians over the rounds, ready to be written as JSON."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from benchmarks.serving.contender import Contender
from benchmarks.serving.floods import Floods
from benchmarks.serving.memory import Many
from benchmarks.serving.pairs import Pair
from benchmarks.serving.promotions import Promotions
from benchmarks.serving.rounds import Overload, Seen
from benchmarks.serving.wrk import Load

TOO_LATE = ("504", "late", "0")
"""What becomes of a request that was not refused and not answered in time."""


def of_contender(contender: Contender, seen: Seen) -> dict[str, Any]:
    """Return what was seen of one contender."""
    found: dict[str, Any] = {
        "group": contender.group,
        "settings": contender.settings,
        "protocol": contender.encoding.name,
        "problem": seen.problem,
        "cells": {name: of_loads(loads) for name, loads in seen.loads.items()},
        "poison": {kind: asdict(collateral) for kind, collateral in seen.poison.items()},
    }
    if seen.cold_starts:
        found["cold_start_s"] = median(seen.cold_starts)
    if seen.memory:
        found["memory_mib"] = asdict(seen.memory[-1])
    if seen.overloads:
        found["overload"] = of_overloads(seen.overloads)
    return found


def of_loads(loads: Sequence[Load]) -> dict[str, Any]:
    """Return medians, and the rate of each round."""
    return {
        "requests_per_second": median(load.requests_per_second for load in loads),
        "p50_ms": median(load.p50 for load in loads),
        "p99_ms": median(load.p99 for load in loads),
        "failed": sum(load.failed for load in loads),
        "rounds": [round(load.requests_per_second, 1) for load in loads],
    }


def of_overloads(overloads: Sequence[Overload]) -> dict[str, Any]:
    """Return medians, and all statuses."""
    floods = [entry.flood for entry in overloads]
    statuses: Counter[str] = Counter()
    for flood in floods:
        statuses.update(flood.statuses)
    return {
        "capacity": median(entry.capacity for entry in overloads),
        "offered": median(flood.offered for flood in floods),
        "sent": median(flood.sent for flood in floods),
        "goodput": median(flood.goodput for flood in floods),
        "share": median(entry.flood.goodput / entry.capacity for entry in overloads if entry.capacity),
        "p99_ms": median(flood.p99 for flood in floods),
        "statuses": dict(statuses),
    }


def of_floods(seen: Floods, deadline: float) -> dict[str, Any]:
    """Return medians of the slices, and of the shares of neighbouring ones; and all statuses."""
    statuses: Counter[str] = Counter()
    for flood in seen.floods:
        statuses.update(flood.statuses)
    shares = [ratio(flood.goodput, peak.goodput) for peak, flood in zip(seen.peaks, seen.floods, strict=True)]
    accepted = {status: statuses[status] for status in ("200", *TOO_LATE)}
    return {
        "capacity": seen.capacity,
        "peak": median(peak.goodput for peak in seen.peaks),
        "goodput": median(flood.goodput for flood in seen.floods),
        "sent": median(flood.sent for flood in seen.floods),
        "share": median(shares),
        "shares": [round(share, 3) for share in shares],
        "too_late": 1 - ratio(accepted["200"], sum(accepted.values())),
        "p50_ms": median(flood.p50 for flood in seen.floods),
        "p99_ms": median(flood.p99 for flood in seen.floods),
        "deadline_s": deadline,
        "statuses": dict(statuses),
    }


def ratio(one: float, other: float) -> float:
    """Return one figure by another; no number where nothing was seen of the other."""
    return one / other if other else math.nan


def of_pair(first: str, second: str, pair: Pair) -> dict[str, Any]:
    """Return both sides of a pair by their names."""
    return {first: of_loads(pair.first), second: of_loads(pair.second)}


def of_memory(many: Many) -> dict[str, Any]:
    """Return the memory of many models; that of stock servers is multiplied when fewer were started."""
    factor = many.models / many.stock_servers
    return {
        "models": many.models,
        "stock_servers": many.stock_servers,
        "platform_mib": asdict(many.platform),
        "stock_mib": {"resident": many.stock.resident * factor, "proportional": many.stock.proportional * factor},
    }


def of_promotions(seen: Promotions) -> dict[str, Any]:
    """Return the waits and the load."""
    return {
        "p50_s": median(seen.waits),
        "p95_s": percentile(seen.waits, 0.95),
        "waits_s": [round(wait, 4) for wait in seen.waits],
        "failed": seen.failed,
        "requests_per_second": seen.requests,
        "load": asdict(seen.load),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def best(
    contenders: Mapping[str, Any], groups: Sequence[str], cell: str, figure: str, *, high: bool
) -> tuple[str, float] | None:
    """Return the contender of these groups with the best figure in a cell, and the figure; None when none has it."""
    found = [
        (entry["cells"][cell][figure], name)
        for name, entry in contenders.items()
        if entry["group"] in groups and cell in entry["cells"]
    ]
    if not found:
        return None
    value, name = max(found) if high else min(found)
    return name, value
