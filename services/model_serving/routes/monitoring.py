"""What monitoring knows of a model, over HTTP."""

import asyncio
from datetime import timedelta
from typing import Annotated

from fastapi import Query
from fastapi.responses import HTMLResponse

from mlplatform.auth import Permission, require
from mlplatform.service import ServiceRouter
from services.model_serving.monitoring.report.page import render_page
from services.model_serving.monitoring.schemas import ModelMonitoring, MonitoringHistory
from services.model_serving.routes.models import Cursor
from services.model_serving.schemas import VERSION
from services.model_serving.serving import ServingParts

router = ServiceRouter(
    prefix="/api/v1/models/{name}/monitoring", tags=["monitoring"], dependencies=[require(Permission.READ)]
)

Version = Annotated[str | None, Query(pattern=VERSION, description="Only this version.")]
Windows = Annotated[int, Query(ge=1, le=500, description="Windows in a page.")]
Hours = Annotated[int, Query(ge=1, le=24 * 90, description="How far back to look.")]


@router.get("", summary="Read what monitoring knows of a model")
async def read_monitoring(
    name: str, serving: ServingParts, version: Version = None, hours: Hours = 24
) -> ModelMonitoring:
    """Read the newest window of each version: drift of inputs and predictions, logged traffic, quality."""
    return await serving.monitoring.read(name, version=version, span=timedelta(hours=hours))


@router.get("/windows", summary="List the windows of a model")
async def list_windows(
    name: str,
    serving: ServingParts,
    *,
    version: Version = None,
    hours: Hours = 24,
    limit: Windows = 100,
    cursor: Cursor = None,
) -> MonitoringHistory:
    """List what was found about each window, newest first."""
    windows, following = await serving.monitoring.history(
        name, version=version, span=timedelta(hours=hours), limit=limit, cursor=cursor
    )
    return MonitoringHistory(model=name, windows=windows, next_cursor=following)


@router.get("/report", summary="Read the report on a model", response_class=HTMLResponse)
async def read_report(name: str, serving: ServingParts, version: Version = None, hours: Hours = 24) -> HTMLResponse:
    """Read a page with plots that needs nothing else from any network."""
    state = await serving.monitoring.read(name, version=version, span=timedelta(hours=hours))
    versions = [window.version for window in state.versions]
    windows = await serving.monitoring.overview(name, versions=versions, span=timedelta(hours=hours))
    return HTMLResponse(await asyncio.to_thread(render_page, state, windows))
