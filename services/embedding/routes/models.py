"""What is served, and how."""

from typing import Annotated

from fastapi import Depends

from mlplatform.auth import Permission, require
from mlplatform.service.json_route import ServiceRouter
from services.embedding.node import Node
from services.embedding.routes.dependencies import get_node, get_settings
from services.embedding.schemas import EmbeddingModel, EmbeddingModels, Info
from services.embedding.served_model import ServedModel
from services.embedding.settings import EmbeddingSettings

router = ServiceRouter(tags=["models"], dependencies=[require(Permission.READ)])


@router.get("/api/v1/models", summary="List the models that are served")
async def list_models(node: Annotated[Node, Depends(get_node)]) -> EmbeddingModels:
    """List the models in memory."""
    return EmbeddingModels(models=[_render(node.model)])


@router.get("/info", summary="How this node computes and where it writes")
async def read_info(
    node: Annotated[Node, Depends(get_node)], settings: Annotated[EmbeddingSettings, Depends(get_settings)]
) -> Info:
    """Describe the model, the space that this node fills, and its limits."""
    return Info(
        model=_render(node.model),
        production_version=node.model.production_version,
        space_id=node.space.id if node.space else None,
        encoder=node.model.encoder.report,
        threads=settings.embedding_threads,
        texts_per_request=settings.embedding_texts_per_request,
        text_characters=settings.embedding_text_characters,
        queued_texts=settings.embedding_queued_texts,
    )


def _render(model: ServedModel) -> EmbeddingModel:
    return EmbeddingModel(
        name=model.name,
        version=model.version,
        dimension=model.encoder.dimension,
        max_tokens=model.encoder.max_tokens,
        digest=model.digest,
    )
