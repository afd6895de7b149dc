"""Documents in the order in which they answer a query, in the form that other servers' clients know."""

import asyncio
from typing import Any

import orjson

from mlplatform.auth import Permission
from mlplatform.errors import BadRequest, FieldError, Unprocessable
from mlplatform.service import (
    DirectRequest,
    DirectResponse,
    DirectRoute,
    check_content_type,
    json_body,
    unless_gone,
    validate_body,
)
from services.embedding.errors import ModelNotServed
from services.embedding.limits import check_text
from services.embedding.reranking.cross_encoder import LoadedReranker, Scores
from services.embedding.routes.embed import LARGE_BODY, NO_JSON
from services.embedding.schemas import RerankAnswer, RerankRequest
from services.embedding.service import service_of
from services.embedding.settings import EmbeddingSettings

LISTED_ERRORS = 20
DESCRIPTION = """Read the query together with each document, and return the documents by how well they answer it.

The model is the cross-encoder in production; without one the answer is 404. A document that is longer than the model
reads is cut. `/v1/rerank` is the same, for clients that know this path.
"""


async def rerank(request: DirectRequest) -> DirectResponse:
    """Return documents by how well they answer a query."""
    check_content_type(request.headers)
    service = service_of(request.app)
    body = request.body
    settings = service.settings
    wanted = _read(body, settings) if len(body) < LARGE_BODY else await asyncio.to_thread(_read, body, settings)
    reranker = service.reranker.get()
    if wanted.model not in {None, reranker.name, f"{reranker.name}:{reranker.version}"}:
        raise ModelNotServed(f"No such re-ranker is served here; the one that is, is called {reranker.name}.")
    scores = await unless_gone(service.reranker.score(reranker, wanted.query, wanted.documents), request.gone)
    return DirectResponse(orjson.dumps(_render(wanted, reranker, scores)))


def _read(body: bytes, settings: EmbeddingSettings) -> RerankRequest:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(NO_JSON) from error
    wanted = validate_body(content, RerankRequest)
    most = settings.embedding_rerank_documents
    if len(wanted.documents) > most:
        message = f"{len(wanted.documents)} documents are too many; send at most {most} at a time."
        raise Unprocessable(message, errors=[FieldError("body.documents", message)])
    documents = {f"body.documents.{position}": text for position, text in enumerate(wanted.documents)}
    errors = [
        FieldError(field, wrong)
        for field, text in {"body.query": wanted.query, **documents}.items()
        if (wrong := check_text(text, settings.embedding_text_characters)) is not None
    ]
    if errors:
        raise Unprocessable("Some texts cannot be read; `errors` names them.", errors=errors[:LISTED_ERRORS])
    return wanted


def _render(wanted: RerankRequest, reranker: LoadedReranker, scores: Scores) -> dict[str, Any]:
    order = sorted(range(len(scores)), key=lambda row: (-scores[row], row))[: wanted.top_n]
    results: list[dict[str, Any]] = [{"index": row, "relevance_score": float(scores[row])} for row in order]
    if wanted.return_documents:
        for result in results:
            result["document"] = {"text": wanted.documents[result["index"]]}
    return {
        "model": reranker.name,
        "version": reranker.version,
        "digest": reranker.digest,
        "results": results,
    }


ROUTES = [
    DirectRoute(
        "POST",
        path,
        Permission.EMBED,
        rerank,
        openapi={
            "summary": "Order documents by how well they answer a query",
            "description": DESCRIPTION,
            "requestBody": json_body(RerankRequest),
            "responses": {200: {"model": RerankAnswer}},
        },
        tags=("re-ranking",),
    )
    for path in ("/api/v1/rerank", "/v1/rerank")
]
