"""Queries."""

import time
from typing import Annotated

from fastapi import Depends, Request, Response

from mlplatform.auth import Permission, Principal, require
from mlplatform.service.json_route import JsonResponse, ServiceRouter
from mlplatform.service.kernel import get_kernel
from services.search.errors import ForeignTenant
from services.search.filters import Filters
from services.search.limits import check_query
from services.search.routes.dependencies import get_searcher, get_settings
from services.search.schemas import SearchAnswer, SearchRequest
from services.search.searcher import Searcher
from services.search.settings import SearchSettings

router = ServiceRouter(prefix="/api/v1", tags=["search"])


@router.post("/search", summary="Find the items nearest to a query", response_model=SearchAnswer)
async def search(
    body: SearchRequest,
    request: Request,
    principal: Annotated[Principal, require(Permission.SEARCH)],
    searcher: Annotated[Searcher, Depends(get_searcher)],
    settings: Annotated[SearchSettings, Depends(get_settings)],
) -> Response:
    """Return the items of the caller's tenant that are nearest to the query and meet the filters, the best first.

    As many as `limit` are returned whenever as many meet the filters.
    """
    started = time.perf_counter()
    if body.tenant not in {None, principal.tenant}:
        await _record_foreign(request, principal)
        raise ForeignTenant("Your credential is for another tenant.")
    check_query(body.query, settings)
    metadata = {key: value if isinstance(value, list) else [value] for key, value in body.filters.items()}
    found = await searcher.search(
        principal, body.query, Filters(body.entity_types, tuple(body.tags), metadata), body.limit
    )
    return JsonResponse(
        {
            "results": found.rows,
            "strategy": found.strategy,
            "complete": found.complete,
            "model": found.vector.model,
            "version": found.vector.version,
            "took_ms": round((time.perf_counter() - started) * 1000, 3),
        }
    )


async def _record_foreign(request: Request, principal: Principal) -> None:
    client = request.client.host if request.client else "unknown"
    await get_kernel(request).audit.denied(
        reason="tenant", resource="POST /api/v1/search", client=client, principal=principal, status=ForeignTenant.status
    )
