"""Tables as batch jobs over HTTP."""

import hashlib
from email.message import Message
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response

from mlplatform.auth import Permission, Principal, require
from mlplatform.errors import Unprocessable, UnsupportedMediaType
from mlplatform.idempotency import RepeatableRequest, StoredResponse, replayed
from mlplatform.service import ServiceRouter
from mlplatform.service.body_timeout import patient
from mlplatform.service.json_route import JsonResponse
from services.model_serving.batch.jobs.describing import describe
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import ACCEPTED
from services.model_serving.batch.schemas import BatchJob
from services.model_serving.batch.tables.results import Format
from services.model_serving.batch.tables.source import Form, TableFile
from services.model_serving.batch.tables.tables import TableOrder, Tables
from services.model_serving.routes.jobs import LOCATION
from services.model_serving.schemas import ALIAS, MODEL_NAME, VERSION
from services.model_serving.serving import ServingParts, get_serving

PATH = "/api/v1/batch/table"
MEDIA_TYPES: dict[str, Form] = {
    "text/csv": "csv",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.apache.parquet": "parquet",
}
REQUEST: dict[str, Any] = {
    "requestBody": {
        "description": "The table; nothing when `key` is given.",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES},
    }
}

router = ServiceRouter(prefix="/api/v1", tags=["jobs"])


def get_tables(request: Request) -> Tables:
    """Return the tables of the running service."""
    return get_serving(request).batch.tables


OwnTables = Annotated[Tables, Depends(get_tables)]
Caller = Annotated[Principal, require(Permission.PREDICT)]


@router.post(
    "/batch/table",
    summary="Score a table",
    status_code=ACCEPTED,
    response_model=BatchJob,
    responses=LOCATION,
    openapi_extra=REQUEST,
)
async def submit_table(
    request: Request,
    principal: Caller,
    serving: ServingParts,
    tables: OwnTables,
    *,
    model: Annotated[str, Query(pattern=MODEL_NAME, description="The model.")],
    version: Annotated[str | None, Query(pattern=VERSION, description="Else the one in production.")] = None,
    alias: Annotated[str | None, Query(pattern=ALIAS, description="In place of a version.")] = None,
    key: Annotated[str | None, Query(max_length=1024, description="An object of the tenant's, not a body.")] = None,
    form: Annotated[Form | None, Query(alias="format", description="Of the object, or where no header says.")] = None,
    delimiter: Annotated[str, Query(pattern=r"^[,;|\t]$", description="Between the values of CSV.")] = ",",
    results: Annotated[list[Format], Query(min_length=1, description="Files to write the results as.")] = ["parquet"],  # noqa: B006 (read only)
    webhook: Annotated[str | None, Query(max_length=2048, description="Where the end of the job is posted to.")] = None,
    report: Annotated[bool, Query(description="Whether a report follows its end.")] = True,
    idempotency: Annotated[
        str | None,
        Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$"),
    ] = None,
) -> Response:
    """Take a table and return; its rows are the items of the job.

    A row that cannot be scored has an error in the results, and the others are scored.
    """
    if version is not None and alias is not None:
        raise Unprocessable("Give a version or an alias, not both.")
    serving.batch.webhooks.check(webhook)
    form = form or _form(request.headers.get("content-type", ""))
    identity = await serving.batch.freezer.freeze(model, version=version, alias=alias)
    target = f"{request.url.path}?{request.url.query}\0".encode()
    tables.check_size(request.headers.get("content-length", ""))
    patience = serving.batch.body_timeout.total_seconds()
    stream = Request(request.scope, patient(request.receive, patience, tables.most)).stream()
    async with tables.receive(stream) as upload:
        repeatable = RepeatableRequest(f"POST {PATH}", idempotency, hashlib.sha256(target + upload.sha256).digest())
        if (answered := await serving.batch.jobs.replay(principal.tenant, repeatable)) is not None:
            return _answer(answered)
        forms, number = list(dict.fromkeys(results)), request.state.request_id
        if key is not None:
            await tables.check_key(principal.tenant, key)
            order = TableOrder(identity, alias, TableFile(key, form, delimiter), forms, webhook, report)
            return _answer(await tables.submit(principal, order, repeatable, number))
        async with tables.storing(principal.tenant, upload, form, delimiter) as stored:
            order = TableOrder(identity, alias, stored.file, forms, webhook, report)
            return _answer(await tables.submit(principal, order, repeatable, number, stored))


def _answer(submitted: Job | StoredResponse) -> Response:
    if isinstance(submitted, Job):
        return JsonResponse(describe(submitted), status_code=ACCEPTED, headers={"Location": _place(submitted.id)})
    answer = replayed(submitted)
    answer.headers["Location"] = _place(submitted.body["id"])
    return answer


def _place(number: object) -> str:
    return f"{router.prefix}/jobs/{number}"


def _form(content_type: str) -> Form:
    header = Message()
    header["content-type"] = content_type or "none"
    found = MEDIA_TYPES.get(header.get_content_type())
    if found is None:
        raise UnsupportedMediaType(f"Send a table as one of {', '.join(MEDIA_TYPES)}, or say its format.")
    return found
