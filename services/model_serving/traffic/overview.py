"""Figures of routes and shadows, added up over the replicas."""

from collections.abc import Iterable, Mapping
from typing import Any

from mlplatform.database import Database
from services.model_serving.traffic import repository
from services.model_serving.traffic.document import AbortRule
from services.model_serving.traffic.epochs import PRIMARY, shadow_label
from services.model_serving.traffic.exchange import Exchange
from services.model_serving.traffic.histogram import DIFFERENCE, LATENCY
from services.model_serving.traffic.router import TrafficRouter
from services.model_serving.traffic.schemas import RouteReport, ShadowReport, TrafficReport
from services.model_serving.traffic.shadow_totals import ShadowTotal, read_shadow
from services.model_serving.traffic.windows import first_slot, together

Rows = list[Mapping[str, Any]]


class Overview:
    """Reads what all replicas sent.

    Args:
        database: where it is.
        router: the plans in effect.
        exchange: sends what this replica has.
    """

    def __init__(self, database: Database, router: TrafficRouter, exchange: Exchange) -> None:
        self._database = database
        self._router = router
        self._exchange = exchange

    async def report(self, model: str) -> TrafficReport:
        """Report what the routes and the shadows of a model do.

        Raises:
            DependencyUnavailable: Postgres does not answer.
        """
        await self._exchange.send()
        plan = self._router.plans.get(model)
        if plan is None:
            return TrafficReport(model=model, window_seconds=AbortRule().window_seconds, routes=[], shadows=[])
        seconds = plan.document.abort.window_seconds
        windows = await self._exchange.windows([model], lambda now: first_slot(now, seconds))
        shadows = {shadow.reference: plan.epochs[shadow_label(shadow.reference)] for shadow in plan.document.shadow}
        async with self._database.transaction() as connection:
            totals = await repository.shadow_totals(connection, model, shadows)
        live = [row for row in windows if row["epoch"] == plan.epochs.get(row["route"])]
        return TrafficReport(
            model=model,
            window_seconds=seconds,
            routes=[_route(route, rows) for route, rows in sorted(_by("route", live).items(), key=_primary_first)],
            shadows=[_shadow(target, rows) for target, rows in sorted(_by("target", totals).items())],
        )


def _primary_first(entry: tuple[str, Rows]) -> tuple[bool, str]:
    return entry[0] != PRIMARY, entry[0]


def _by(column: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Rows]:
    groups: dict[str, Rows] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups


def _versions(rows: Rows) -> list[str]:
    return sorted({row["version"] for row in rows}, key=lambda version: (len(version), version))


def _route(route: str, rows: Rows) -> RouteReport:
    tally = together(iter(rows))
    answered = sum(tally.latency)
    return RouteReport(
        route=route,
        versions=_versions(rows),
        requests=tally.requests,
        errors=tally.errors,
        refused=tally.refused,
        error_rate=tally.error_rate,
        mean_seconds=tally.seconds / answered if answered else None,
        p50_seconds=tally.percentile(0.5),
        p99_seconds=tally.percentile(0.99),
    )


def _shadow(target: str, rows: Rows) -> ShadowReport:
    total = ShadowTotal()
    for row in rows:
        total.add(read_shadow(row))
    answered = total.requests - total.errors
    ours = total.primary_seconds / answered if answered else None
    theirs = total.shadow_seconds / answered if answered else None
    return ShadowReport(
        target=target,
        versions=[version for version in _versions(rows) if version != "none"],
        requests=total.requests,
        dropped=total.dropped,
        errors=total.errors,
        error_rate=total.errors / total.requests if total.requests else None,
        incomparable=total.incomparable,
        rows=total.compared,
        agreement=total.agreed / total.compared if total.compared else None,
        difference_p50=DIFFERENCE.quantile(total.difference, 0.5),
        difference_p90=DIFFERENCE.quantile(total.difference, 0.9),
        difference_p99=DIFFERENCE.quantile(total.difference, 0.99),
        mean_seconds=theirs,
        mean_seconds_of_callers=ours,
        mean_delta_seconds=None if ours is None or theirs is None else theirs - ours,
        p99_seconds=LATENCY.quantile(total.shadow_latency, 0.99),
        p99_seconds_of_callers=LATENCY.quantile(total.primary_latency, 0.99),
    )
