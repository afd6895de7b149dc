"""Batch jobs over HTTP."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from mlplatform.auth import Permission, Principal, require
from mlplatform.idempotency import IdempotentRequest, StoredResponse, replayed
from mlplatform.service import ServiceRouter, is_leaving
from mlplatform.service.json_route import JsonResponse
from services.model_serving.batch.jobs.describing import describe, view
from services.model_serving.batch.jobs.events import progress
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import ACCEPTED, Jobs, Order
from services.model_serving.batch.jobs.repository import Connection
from services.model_serving.batch.schemas import (
    BatchJob,
    BatchJobPage,
    BatchRequest,
    ItemResultPage,
    ResultStateName,
    StateName,
)
from services.model_serving.routes.models import Cursor
from services.model_serving.schemas import MODEL_NAME
from services.model_serving.serving import ServingParts, get_serving

router = ServiceRouter(prefix="/api/v1", tags=["jobs"])

LOCATION: dict[int | str, dict[str, Any]] = {
    ACCEPTED: {"headers": {"Location": {"description": "The job.", "schema": {"type": "string"}}}}
}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `progress` with the job at each change, and `end` with the last one.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def get_jobs(request: Request) -> Jobs:
    """Return the jobs of the running service."""
    return get_serving(request).batch.jobs


OwnJobs = Annotated[Jobs, Depends(get_jobs)]
Caller = Annotated[Principal, require(Permission.PREDICT)]
PageSize = Annotated[int, Query(ge=1, le=1000, description="Entries in a page.")]


@router.post("/batch", summary="Score many items", status_code=ACCEPTED, response_model=BatchJob, responses=LOCATION)
async def submit_job(
    request: Request,
    wanted: BatchRequest,
    principal: Caller,
    repeatable: IdempotentRequest,
    serving: ServingParts,
) -> Response:
    """Take the items and return; the job survives restarts of everything.

    The version is the one that the alias names now, and stays so. An item that cannot be scored has an error in its
    place, and the others are scored.
    """
    jobs = serving.batch.jobs
    jobs.check(wanted.inputs)
    serving.batch.webhooks.check(wanted.webhook)
    submitted: Job | StoredResponse | None = await jobs.replay(principal.tenant, repeatable)
    if submitted is None:
        model = await serving.batch.freezer.freeze(wanted.model, version=wanted.version, alias=wanted.alias)
        await serving.batch.freezer.check(model, wanted.params)
        order = Order(
            model,
            wanted.inputs,
            wanted.alias,
            wanted.params,
            review_below=wanted.threshold,
            webhook=wanted.webhook,
            report=wanted.report,
        )

        async def within(connection: Connection, _: Job) -> None:
            await serving.batch.uploads.quota.check_items(connection)

        submitted = await jobs.submit(principal, order, repeatable, request.state.request_id, within)
    if isinstance(submitted, Job):
        return accepted(submitted)
    answer = replayed(submitted)
    answer.headers["Location"] = location(str(submitted.body["id"]))
    return answer


@router.get("/jobs", summary="List jobs")
async def list_jobs(
    principal: Caller,
    jobs: OwnJobs,
    *,
    state: Annotated[StateName | None, Query(description="Only jobs in this state.")] = None,
    model: Annotated[str | None, Query(pattern=MODEL_NAME, description="Only jobs of this model.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Entries in a page.")] = 50,
    cursor: Cursor = None,
) -> BatchJobPage:
    """List the jobs of the caller's tenant, newest first."""
    found, following = await jobs.page(principal.tenant, limit=limit, cursor=cursor, state=state, model=model)
    return BatchJobPage(jobs=[view(job) for job in found], next_cursor=following)


@router.get("/jobs/{job}", summary="See how far a job is")
async def read_job(job: UUID, principal: Caller, jobs: OwnJobs) -> BatchJob:
    """Read a job of the caller's tenant."""
    return view(await jobs.find(principal.tenant, job))


@router.get("/jobs/{job}/results", summary="Read the results of a job", response_model=ItemResultPage)
async def read_results(
    job: UUID,
    principal: Caller,
    serving: ServingParts,
    *,
    state: Annotated[ResultStateName | None, Query(description="Only results of this kind.")] = None,
    limit: PageSize = 200,
    cursor: Cursor = None,
) -> Response:
    """Read the results in the order of the items, those that are there while the job goes on too.

    Of a table these are the rows that failed; the answers of the others are in the files, which `files` leads to.
    """
    page = await serving.batch.pages.read(principal.tenant, job, limit=limit, cursor=cursor, state=state)
    return JsonResponse(page.describe(location(str(job))))


@router.get("/jobs/{job}/events", summary="Watch a job", response_class=StreamingResponse, responses=EVENTS)
async def watch_job(job: UUID, request: Request, principal: Caller, jobs: OwnJobs) -> Response:
    """Follow a job as server-sent events until it has ended; each event holds the whole of it."""
    found = await jobs.find(principal.tenant, job)
    content = progress(jobs, found, partial(is_leaving, request))
    return StreamingResponse(content, media_type="text/event-stream")


@router.post("/jobs/{job}/cancel", summary="Cancel a job")
async def cancel_job(job: UUID, principal: Caller, jobs: OwnJobs) -> BatchJob:
    """Cancel the items that have no result yet; the results that are there stay."""
    return view(await jobs.cancel(principal, job))


@router.post(
    "/jobs/{job}/retry",
    summary="Try failed items again",
    status_code=ACCEPTED,
    response_model=BatchJob,
    responses=LOCATION,
)
async def retry_job(job: UUID, principal: Caller, jobs: OwnJobs) -> Response:
    """Score the failed items of a job that ended once more, with the version of the job."""
    return accepted(await jobs.retry(principal, job))


def accepted(job: Job) -> Response:
    """Answer with a job that was taken."""
    return JsonResponse(describe(job), status_code=ACCEPTED, headers={"Location": location(str(job.id))})


def location(number: str) -> str:
    """Return where a job is."""
    return f"{router.prefix}/jobs/{number}"
