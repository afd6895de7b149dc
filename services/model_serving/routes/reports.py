"""Reports of jobs over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi.responses import HTMLResponse

from mlplatform.auth import Permission, Principal, require
from mlplatform.service import ServiceRouter
from services.model_serving.batch.report.page import render_report
from services.model_serving.batch.report.schemas import BatchReport
from services.model_serving.serving import ServingParts

router = ServiceRouter(prefix="/api/v1", tags=["jobs"])

Caller = Annotated[Principal, require(Permission.PREDICT)]


@router.get("/jobs/{job}/report", summary="Read what a job came to")
async def read_report(job: UUID, principal: Caller, serving: ServingParts) -> BatchReport:
    """Read the counts, answers and times of a job that has ended, and its drift against training."""
    return await serving.batch.reports.find(principal.tenant, job)


@router.get("/jobs/{job}/report.html", summary="See what a job came to", response_class=HTMLResponse)
async def show_report(job: UUID, principal: Caller, serving: ServingParts) -> HTMLResponse:
    """Read the same as a page with plots."""
    return HTMLResponse(render_report(await serving.batch.reports.find(principal.tenant, job)))
