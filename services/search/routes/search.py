"""Queries."""

import time
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from mlplatform.auth import Permission, Principal, require
from mlplatform.service.json_route import JsonResponse, ServiceRouter
from mlplatform.service.kernel import get_kernel
from services.search.errors import ForeignTenant
from services.search.limits import check_query
from services.search.routes.dependencies import get_searcher, get_settings
from services.search.schemas import SearchAnswer, SearchRequest
from services.search.searcher import Searcher
from services.search.settings import SearchSettings

router = ServiceRouter(prefix="/api/v1", tags=["search"])


@router.post("/search", summary="Find the items that answer a query best", response_model=SearchAnswer)
async def search(
    body: SearchRequest,
    request: Request,
    principal: Annotated[Principal, require(Permission.SEARCH)],
    searcher: Annotated[Searcher, Depends(get_searcher)],
    settings: Annotated[SearchSettings, Depends(get_settings)],
) -> Response:
    """Return the items of the caller's tenant that answer the query best and meet the filters, the best first.

    Vectors and words both look, and what they find is fused. As many as `limit` are returned whenever as many meet the
    filters, except in mode `lexical`, which finds only items with a word of the query.
    """
    started = time.perf_counter()
    if body.tenant not in {None, principal.tenant}:
        await _record_foreign(request, principal)
        raise ForeignTenant("Your credential is for another tenant.")
    check_query(body.query, settings)
    found = await searcher.search(principal, body.wanted(), body.cursor)
    ranking = found.ranking
    answer: dict[str, Any] = {
        "results": found.results,
        "mode": body.mode,
        "strategy": ranking.strategy,
        "complete": ranking.complete,
        "degraded": ranking.degraded,
        "reason": ranking.reason,
        "corrected": ranking.corrected,
        "cursor": found.cursor,
        "index_changed": found.index_changed,
        "model": ranking.model,
        "version": ranking.version,
        "reranker": ranking.reranker,
    }
    if found.facets is not None:
        answer["facets"] = found.facets
    if found.explain is not None:
        answer["explain"] = found.explain
    answer["took_ms"] = round((time.perf_counter() - started) * 1000, 3)
    return JsonResponse(answer)


async def _record_foreign(request: Request, principal: Principal) -> None:
    client = request.client.host if request.client else "unknown"
    await get_kernel(request).audit.denied(
        reason="tenant", resource="POST /api/v1/search", client=client, principal=principal, status=ForeignTenant.status
    )
