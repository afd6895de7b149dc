"""Files over HTTP."""

from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request, Response
from pydantic import ValidationError

from mlplatform.errors import FieldError, PayloadTooLarge, Unprocessable
from mlplatform.idempotency import RepeatableRequest, StoredResponse, replayed
from mlplatform.service import ServiceRouter
from services.model_serving.batch.jobs.freezing import Freezer
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import ACCEPTED, Order
from services.model_serving.batch.schemas import BatchJob, FilesRequest
from services.model_serving.batch.scoring.files import SCORERS
from services.model_serving.batch.scoring.wishes import Wishes
from services.model_serving.batch.uploads.desk import Uploads
from services.model_serving.batch.uploads.form import Form
from services.model_serving.batch.uploads.received import Received
from services.model_serving.batch.uploads.room import CLOSE
from services.model_serving.engine.identity import ModelIdentity
from services.model_serving.routes.bodies import body_of, declared_size
from services.model_serving.routes.jobs import LOCATION, Caller, accepted, location
from services.model_serving.serving import ServingParts, get_serving

PATH = "/api/v1/batch/files"
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The files, each as a part `files`, and what to do with them.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["model", "files"],
                    "properties": {
                        "model": {"type": "string"},
                        "version": {"type": "integer", "minimum": 1},
                        "alias": {"type": "string"},
                        "params": {"type": "string", "description": "A JSON object."},
                        "threshold": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                        "report": {"type": "boolean", "default": True},
                        "webhook": {"type": "string"},
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    },
                }
            }
        },
    }
}
JSON_FIELDS = frozenset({"params", "threshold", "report"})

router = ServiceRouter(prefix="/api/v1", tags=["jobs"])


def get_uploads(request: Request) -> Uploads:
    """Return the desk for uploads of the running service."""
    return get_serving(request).batch.uploads


@router.post(
    "/batch/files",
    summary="Score uploaded files",
    status_code=ACCEPTED,
    response_model=BatchJob,
    responses=LOCATION,
    openapi_extra=FORM,
)
async def submit_files(
    request: Request,
    principal: Caller,
    serving: ServingParts,
    uploads: Annotated[Uploads, Depends(get_uploads)],
    key: Annotated[
        str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    ] = None,
) -> Response:
    """Take images, texts and zip archives of them; each file is an item, told by its content and not by its name.

    A file that cannot be scored has an error in its place. A request that breaks a limit leaves nothing behind.
    """
    most = uploads.limits.form_size
    declared = declared_size(request)
    if declared is not None and declared > most:
        raise PayloadTooLarge(f"The form is larger than {most} bytes.", headers=CLOSE)
    form = Form(request.headers.get("content-type", ""))
    stream = body_of(request, serving, most)
    is_repeat = await serving.batch.jobs.is_answered(principal.tenant, RepeatableRequest(f"POST {PATH}", key, b""))
    async with uploads.receiver.receiving(
        principal.tenant, form, stream, declared=declared, is_repeat=is_repeat
    ) as received:
        wanted = _wanted(received)
        serving.batch.webhooks.check(wanted.webhook)
        repeatable = RepeatableRequest(f"POST {PATH}", key, received.digest)
        submitted: Job | StoredResponse | None = await serving.batch.jobs.replay(principal.tenant, repeatable)
        if submitted is None:
            freezer = serving.batch.freezer
            model = await freezer.freeze(wanted.model, version=wanted.version, alias=wanted.alias)
            await _check(freezer, model, wanted.params)
            order = Order(
                model,
                alias=wanted.alias,
                params=wanted.params,
                review_below=wanted.threshold,
                webhook=wanted.webhook,
                report=wanted.report,
            )
            submitted = await uploads.submit(principal, order, received, repeatable, request.state.request_id)
    if isinstance(submitted, Job):
        return accepted(submitted)
    answer = replayed(submitted)
    answer.headers["Location"] = location(str(submitted.body["id"]))
    return answer


async def _check(freezer: Freezer, model: ModelIdentity, params: dict[str, Any]) -> None:
    """Refuse parameters that no scorer of the files would take."""
    task = await freezer.task(model) if params else None
    if task is not None and task in SCORERS:
        Wishes.read(params, task)
    else:
        await freezer.check(model, params)


def _wanted(received: Received) -> FilesRequest:
    given: dict[str, Any] = dict(received.fields)
    for name in JSON_FIELDS & given.keys():
        try:
            given[name] = orjson.loads(given[name])
        except orjson.JSONDecodeError as error:
            wrong = FieldError(f"body.{name}", "is no JSON")
            raise Unprocessable("The form is not valid.", errors=[wrong]) from error
    try:
        return FilesRequest.model_validate(given)
    except ValidationError as error:
        wrongs = [FieldError(".".join(["body", *map(str, one["loc"])]), one["msg"]) for one in error.errors()]
        raise Unprocessable("The form is not valid.", errors=wrongs) from error
