"""Text to vectors."""

from typing import Annotated

from fastapi import Depends, Response

from mlplatform.auth import Permission, Principal, require
from mlplatform.service.json_route import JsonResponse, ServiceRouter
from services.embedding.errors import ModelNotServed
from services.embedding.limits import check_texts
from services.embedding.node import Node
from services.embedding.routes.dependencies import get_node, get_settings
from services.embedding.schemas import EmbedAnswer, EmbedRequest
from services.embedding.settings import EmbeddingSettings

router = ServiceRouter(prefix="/api/v1", tags=["embedding"])


@router.post("/embed", summary="Turn texts into vectors", response_model=EmbedAnswer)
async def embed(
    body: EmbedRequest,
    _principal: Annotated[Principal, require(Permission.EMBED)],
    node: Annotated[Node, Depends(get_node)],
    settings: Annotated[EmbeddingSettings, Depends(get_settings)],
) -> Response:
    """Return one unit vector per text, in the order of the texts."""
    model = node.model
    if body.model not in {None, model.name}:
        raise ModelNotServed("No such model is served here; GET /api/v1/models lists those that are.")
    check_texts(body.texts, settings)
    encoded = await model.batcher.encode(body.texts)
    return JsonResponse(
        {
            "model": model.name,
            "version": model.version,
            "digest": model.digest,
            "dimension": model.encoder.dimension,
            "embeddings": encoded.vectors,
            "truncated": encoded.truncated,
            "usage": {"tokens": sum(encoded.token_counts)},
        }
    )
