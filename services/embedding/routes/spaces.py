"""The spaces of the index, for administrators."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from mlplatform.auth import Permission, Principal, require
from mlplatform.service.json_route import JsonResponse, ServiceRouter
from mlplatform.service.kernel import get_kernel
from mlplatform.spaces import changes
from services.embedding.routes.dependencies import get_service
from services.embedding.schemas import Spaces
from services.embedding.service import EmbeddingService

router = ServiceRouter(prefix="/api/v1/spaces", tags=["spaces"])


@router.get("", summary="List the embedding spaces", response_model=Spaces)
async def list_spaces(
    request: Request,
    _principal: Annotated[Principal, require(Permission.PROMOTE)],
    service: Annotated[EmbeddingService, Depends(get_service)],
    *,
    retired: Annotated[bool, Query(description="Those that are gone too.")] = False,
) -> Response:
    """List the spaces of all tenants together, how far each is filled, and which this node has the model of.

    The oldest is first. `mlp spaces` changes them.
    """
    records = await changes.list_spaces(get_kernel(request).database, retired=retired)
    digests = {model.digest for model in service.node.models}
    return JsonResponse({"spaces": [{**record.as_dict(), "in_memory": record.digest in digests} for record in records]})
