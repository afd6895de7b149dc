"""Results as files over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from mlplatform.service import ServiceRouter
from services.model_serving.batch.exports.exports import Exports
from services.model_serving.batch.tables.results import Format
from services.model_serving.routes.jobs import Caller
from services.model_serving.serving import get_serving

REDIRECT: dict[int | str, dict[str, Any]] = {
    307: {"headers": {"Location": {"description": "Where the file is, for a while.", "schema": {"type": "string"}}}}
}

router = ServiceRouter(prefix="/api/v1", tags=["jobs"])


def get_exports(request: Request) -> Exports:
    """Return the files with results of the running service."""
    return get_serving(request).batch.exports


@router.get(
    "/jobs/{job}/results.{form}",
    summary="Fetch the results of a job as a file",
    status_code=307,
    response_class=RedirectResponse,
    responses=REDIRECT,
)
async def fetch_results(
    job: UUID, form: Format, principal: Caller, exports: Annotated[Exports, Depends(get_exports)]
) -> Response:
    """Go to a file with a row for each item, in their order; 409 until a worker has written it.

    Its columns are `item`, of files `name`, then `prediction` or `prediction_…`, and of what failed `code` and `error`.
    """
    return RedirectResponse(await exports.address(principal.tenant, job, form))
