"""Queries."""

import time
from typing import Any

import orjson

from mlplatform.auth import Permission
from mlplatform.errors import BadRequest
from mlplatform.service import DirectRequest, DirectResponse, DirectRoute, check_content_type, json_body, validate_body
from services.search.answer_schemas import SearchAnswer
from services.search.errors import ForeignTenant
from services.search.limits import check_query
from services.search.query.answer import Answer
from services.search.schemas import SearchRequest
from services.search.searcher import Searcher

PATH = "/api/v1/search"
NO_JSON = "The body is not valid JSON in UTF-8; NaN and Infinity are not JSON."
DESCRIPTION = """Return the items of the caller's tenant that answer the query best, the best first.

Vectors and words both look, and what they find is fused. As many as `limit` are returned whenever as many meet the
filters, except in mode `lexical`, which finds only items with a word of the query.
"""


async def search(request: DirectRequest) -> DirectResponse:
    """Return the items that answer a query best."""
    started = time.perf_counter()
    check_content_type(request.headers)
    state = request.app.state
    wanted = _read(request.body)
    if wanted.tenant not in {None, request.principal.tenant}:
        await _record_foreign(request)
        raise ForeignTenant("Your credential is for another tenant.")
    check_query(wanted.query, state.settings)
    searcher: Searcher = state.searcher
    found = await searcher.search(request.principal, wanted.wanted(), wanted.cursor)
    answer = _shown(found, wanted.mode)
    answer["took_ms"] = round((time.perf_counter() - started) * 1000, 3)
    return DirectResponse(orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS))


def _read(body: bytes) -> SearchRequest:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(NO_JSON) from error
    return validate_body(content, SearchRequest)


def _shown(found: Answer, mode: str) -> dict[str, Any]:
    ranking = found.ranking
    answer: dict[str, Any] = {
        "results": found.results,
        "mode": mode,
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
    return answer


async def _record_foreign(request: DirectRequest) -> None:
    caller = request.scope.get("client")
    await request.app.state.kernel.audit.denied(
        reason="tenant",
        resource=f"POST {PATH}",
        client=caller[0] if caller else "unknown",
        principal=request.principal,
        status=ForeignTenant.status,
    )


ROUTES = [
    DirectRoute(
        "POST",
        PATH,
        Permission.SEARCH,
        search,
        openapi={
            "summary": "Find the items that answer a query best",
            "description": DESCRIPTION,
            "requestBody": json_body(SearchRequest),
            "responses": {200: {"model": SearchAnswer}},
        },
        tags=("search",),
    )
]
