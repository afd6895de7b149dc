"""Tables as batch jobs over HTTP."""

import hashlib
from email.message import Message
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Query, Request, Response

from mlplatform.auth import Permission, Principal, require
from mlplatform.errors import FieldError, Unprocessable, UnsupportedMediaType
from mlplatform.idempotency import RepeatableRequest, StoredResponse, replayed
from mlplatform.service import ServiceRouter
from mlplatform.service.json_route import JsonResponse
from services.model_serving.batch.jobs.describing import describe
from services.model_serving.batch.jobs.freezing import Freezer
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import ACCEPTED
from services.model_serving.batch.schemas import BatchJob
from services.model_serving.batch.tables.results import Format
from services.model_serving.batch.tables.source import Form, TableFile
from services.model_serving.batch.tables.tables import TableOrder, Tables
from services.model_serving.batch.uploads.room import CLOSE
from services.model_serving.engine.identity import ModelIdentity
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.naming import PARAMS
from services.model_serving.routes.bodies import body_of, declared_size, is_empty
from services.model_serving.routes.jobs import LOCATION
from services.model_serving.schemas import ALIAS, MODEL_NAME, VERSION
from services.model_serving.serving import ServingParts, get_serving

PATH = "/api/v1/batch/table"
QUERY_PARAMS = "query.params"
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
    params: Annotated[str | None, Query(description="A JSON object of parameters that the model declares.")] = None,
    threshold: Annotated[
        float | None, Query(gt=0, le=1, description="Rows with less confidence go to the review queue.")
    ] = None,
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
    batch, tenant, number = serving.batch, principal.tenant, request.state.request_id
    batch.webhooks.check(webhook)
    form = form or _form(request.headers.get("content-type", ""))
    body, declared = body_of(request, serving, tables.most), declared_size(request)
    if key is not None and not await is_empty(body, declared):
        raise _both()
    given = _params(params)
    target = f"{request.url.path}?{request.url.query}\0".encode()

    def repeatable(sha256: bytes) -> RepeatableRequest:
        return RepeatableRequest(f"POST {PATH}", idempotency, hashlib.sha256(target + sha256).digest())

    async def order() -> TableOrder:
        identity = await batch.freezer.freeze(model, version=version, alias=alias)
        await _check(batch.freezer, identity, given)
        return TableOrder(identity, alias, list(dict.fromkeys(results)), given, threshold, webhook, report)

    if key is not None:
        once = repeatable(hashlib.sha256().digest())
        if (answered := await batch.jobs.replay(tenant, once)) is not None:
            return _answer(answered)
        wanted = await order()
        await tables.check_key(tenant, key)
        return _answer(await tables.submit(principal, wanted, TableFile(key, form, delimiter), once, request_id=number))
    is_repeat = await batch.jobs.is_answered(tenant, repeatable(b""))
    ready = None if is_repeat else await order()  # before the table is read, which may be for nothing
    async with tables.receiving(tenant, body, declared=declared, is_repeat=is_repeat) as upload:
        once = repeatable(upload.sha256)
        if (answered := await batch.jobs.replay(tenant, once)) is not None:
            return _answer(answered)
        wanted = ready or await order()
        file = await tables.store(upload, form, delimiter)
        return _answer(await tables.submit(principal, wanted, file, once, request_id=number, upload=upload))


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


def _both() -> Unprocessable:
    wrong = [
        FieldError("query.key", "names a table, so that no body may be sent"),
        FieldError("body", "is a table, so that no key may be given"),
    ]
    return Unprocessable("Send a table or name an object, not both.", errors=wrong, headers=CLOSE)


def _params(text: str | None) -> dict[str, Any]:
    try:
        found = {} if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Unprocessable("The query is not valid.", errors=[FieldError(QUERY_PARAMS, "must be a JSON object")])
    return found


async def _check(freezer: Freezer, identity: ModelIdentity, params: dict[str, Any]) -> None:
    """Refuse parameters that the model does not declare, by where they were given."""
    try:
        await freezer.check(identity, params)
    except InvalidInputs as error:
        wrongs = [FieldError(one.field.replace(PARAMS, QUERY_PARAMS, 1), one.message) for one in error.errors]
        raise InvalidInputs(wrongs) from error
