"""The endpoint that needs no credential."""

from fastapi import Response

from mlplatform.auth import public
from mlplatform.service import ServiceRouter

router = ServiceRouter(tags=["mlflow scoring"], dependencies=[public()])


@router.get("/ping", summary="Say that the process lives", response_class=Response)
async def ping() -> Response:
    """Answer as the stock server does: a line break."""
    return Response("\n", media_type="application/json")
