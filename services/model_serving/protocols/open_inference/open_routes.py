"""The endpoints that need no credential: whether the server lives, and whether it is ready."""

from typing import Annotated

from fastapi import Depends, Response

from mlplatform.auth import public
from mlplatform.service import Kernel, ServiceRouter, get_kernel

NOT_READY = 503

router = ServiceRouter(prefix="/v2/health", tags=["open inference protocol"], dependencies=[public()])


@router.get("/live", summary="Say that the process lives")
async def show_liveness() -> dict[str, bool]:
    """Say that the process lives."""
    return {"live": True}


@router.get("/ready", summary="Say whether the service is ready", responses={NOT_READY: {"model": dict[str, bool]}})
async def show_readiness(kernel: Annotated[Kernel, Depends(get_kernel)], response: Response) -> dict[str, bool]:
    """Say whether what the service needs answers, as `/health/ready` does."""
    report = await kernel.health.report()
    ready = report.status == "ready"
    response.status_code = 200 if ready else NOT_READY
    return {"ready": ready}
