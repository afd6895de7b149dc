"""Large inputs."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from mlplatform.auth import Permission, Principal, require
from mlplatform.errors import FieldError, Unprocessable, UnsupportedMediaType
from mlplatform.idempotency import IdempotentRequest, StoredResponse, replayed
from mlplatform.service.json_route import JsonResponse, ServiceRouter
from services.embedding.jobs.jobs import ACCEPTED, Jobs, Order, describe
from services.embedding.limits import check_dimensions, check_prompt
from services.embedding.routes.dependencies import get_jobs, get_service
from services.embedding.schemas import JobAnswer, JobQuery
from services.embedding.service import EmbeddingService

router = ServiceRouter(prefix="/api/v1/embed/jobs", tags=["jobs"])
NDJSON = ("application/x-ndjson", "application/jsonl")
INPUT = {
    "requestBody": {
        "description": "A text on each line, or an object with `text` and perhaps `id`. Empty with `input_key`.",
        "content": {
            NDJSON[0]: {"schema": {"type": "string", "example": '{"id": 1, "text": "inverted yield curve"}\n'}}
        },
    }
}
RESULT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "NDJSON in the order of the input, or a matrix that `numpy.load` reads.",
        "content": {
            NDJSON[0]: {"schema": {"type": "string"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
OwnJobs = Annotated[Jobs, Depends(get_jobs)]
Embedder = Annotated[Principal, require(Permission.EMBED)]


@router.post("", summary="Embed a large input", status_code=ACCEPTED, response_model=JobAnswer, openapi_extra=INPUT)
async def add_job(
    request: Request,
    query: Annotated[JobQuery, Query()],
    principal: Embedder,
    repeatable: IdempotentRequest,
    service: Annotated[EmbeddingService, Depends(get_service)],
) -> Response:
    """Take the input and return; the job survives restarts of the service.

    A line that cannot be embedded has an error in its place, and the others are embedded.
    """
    check_prompt(query.prompt, "query.prompt")
    check_dimensions(query.dimensions, service.node.model.encoder.dimension, "query.dimensions")
    source = query.input_key or await _read(request)
    order = Order(query.output, query.prompt, query.dimensions)
    added = await service.jobs.add(principal.tenant, source, order, repeatable)
    if isinstance(added, StoredResponse):
        return replayed(added)
    headers = {"Location": f"{router.prefix}/{added.id}"}
    return Response(JsonResponse(describe(added)).body, ACCEPTED, headers, "application/json")


@router.get("/{job}", summary="See how far a job is")
async def read_job(job: UUID, principal: Embedder, jobs: OwnJobs) -> JobAnswer:
    """Describe a job of the caller's tenant."""
    return JobAnswer.model_validate(describe(await jobs.find(principal.tenant, job)))


@router.get("/{job}/result", summary="Read the result of a job", response_class=Response, responses=RESULT)
async def read_result(job: UUID, principal: Embedder, jobs: OwnJobs) -> Response:
    """Stream the result, in the order of the input."""
    found, content = await jobs.result(principal.tenant, job, errors=False)
    kind = NDJSON[0] if found.output == "ndjson" else "application/octet-stream"
    return StreamingResponse(content, media_type=kind)


@router.get("/{job}/errors", summary="Read the errors of a job", response_class=Response, responses=RESULT)
async def read_errors(job: UUID, principal: Embedder, jobs: OwnJobs) -> Response:
    """Stream the lines that failed, of a job whose result is a matrix; its rows have no numbers for them."""
    _, content = await jobs.result(principal.tenant, job, errors=True)
    return StreamingResponse(content, media_type=NDJSON[0])


@router.delete("/{job}", summary="End a job and delete what it stored", status_code=204)
async def remove_job(job: UUID, principal: Embedder, jobs: OwnJobs) -> Response:
    """Delete the job, its input if it came with the request, and its result."""
    await jobs.remove(principal.tenant, job)
    return Response(status_code=204)


async def _read(request: Request) -> bytes:
    body = await request.body()
    if not body.strip():
        raise Unprocessable("There is nothing to embed.", errors=[FieldError("body", "has no lines")])
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in NDJSON:
        raise UnsupportedMediaType(f"Send the lines with the header Content-Type: {NDJSON[0]}.")
    return body
