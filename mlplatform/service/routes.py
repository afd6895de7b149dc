"""The routes that every service has."""

from time import monotonic
from typing import Annotated, Any, Literal

from fastapi import Depends, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

import mlplatform
from mlplatform.auth import public
from mlplatform.service.health import HealthChecks, Readiness
from mlplatform.service.json_route import ServiceRouter
from mlplatform.service.kernel import get_kernel
from mlplatform.telemetry.aggregation import SharedMetrics
from mlplatform.telemetry.metrics import CONTENT_TYPE_LATEST, render_metrics

NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": Readiness, "description": "A dependency does not answer."}}


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["live"] = "live"


class Summary(BaseModel):
    """What runs here, and how it is."""

    service: str
    version: str
    status: Literal["ok", "degraded"]
    uptime_seconds: float


def _checks(request: Request) -> HealthChecks:
    return get_kernel(request).health


Checks = Annotated[HealthChecks, Depends(_checks)]


def common_routes(service: str) -> ServiceRouter:
    """Return health and metrics, open to everybody.

    Args:
        service: The service's name.
    """
    router = ServiceRouter(tags=["operations"], dependencies=[public()])
    started = monotonic()

    @router.get("/health/live", summary="Whether the process lives")
    async def read_liveness() -> Liveness:
        """Answer as long as the process can; ask nobody."""
        return Liveness()

    @router.get("/health/ready", summary="Whether requests can be served", responses=NOT_READY)
    async def read_readiness(checks: Checks, response: Response) -> Readiness:
        """Ask every dependency; 503 names those that do not answer."""
        report = await checks.report()
        response.status_code = 200 if report.status == "ready" else 503
        return report

    @router.get("/health", summary="What runs here")
    async def read_summary(checks: Checks) -> Summary:
        """Name the service and its version, and say whether anything it needs is down."""
        report = await checks.report()
        return Summary(
            service=service,
            version=mlplatform.__version__,
            status="ok" if report.status == "ready" else "degraded",
            uptime_seconds=round(monotonic() - started, 3),
        )

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
    async def read_metrics(request: Request) -> Response:
        """Return every metric in Prometheus' text format; those of all processes when there are several."""
        shared = getattr(request.app.state, "metrics", None)
        content = await shared.render() if isinstance(shared, SharedMetrics) else render_metrics()
        return Response(content, media_type=CONTENT_TYPE_LATEST)

    return router
