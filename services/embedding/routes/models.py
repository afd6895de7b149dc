"""What is served, and how."""

from typing import Annotated

from fastapi import Depends

from mlplatform.auth import Permission, require
from mlplatform.service.json_route import ServiceRouter
from services.embedding.naming import names_of
from services.embedding.routes.dependencies import get_service
from services.embedding.schemas import CacheInfo, EmbeddingModel, EmbeddingModels, Info, RerankerInfo
from services.embedding.served_model import ServedModel
from services.embedding.service import EmbeddingService

router = ServiceRouter(tags=["models"], dependencies=[require(Permission.READ)])
Service = Annotated[EmbeddingService, Depends(get_service)]


@router.get("/api/v1/models", summary="List the models that are served")
async def list_models(service: Service) -> EmbeddingModels:
    """List the models in memory."""
    return EmbeddingModels(models=[_render(model, service) for model in service.node.models])


@router.get("/info", summary="How this node computes and where it writes")
async def read_info(service: Service) -> Info:
    """Describe the model, the space that this node fills, its limits, its queue, its cache and the re-ranker."""
    node, settings = service.node, service.settings
    model = node.model
    return Info(
        model=_render(model, service),
        production_version=model.production_version,
        space_id=node.space.id if node.space else None,
        encoder=model.encoder.report,
        threads=settings.embedding_threads,
        texts_per_request=settings.embedding_texts_per_request,
        text_characters=settings.embedding_text_characters,
        queued_texts=settings.embedding_queued_texts,
        waiting_texts=model.batcher.queued_texts,
        cache=CacheInfo(
            state=service.embedder.cache.state,
            entries=settings.embedding_cache_entries,
            seconds=settings.embedding_cache_ttl.total_seconds(),
        ),
        reranker=RerankerInfo(
            name=settings.embedding_reranker,
            version=None if service.reranker.loaded is None else service.reranker.loaded.version,
            problem=service.reranker.problem,
        ),
    )


def _render(model: ServedModel, service: EmbeddingService) -> EmbeddingModel:
    return EmbeddingModel(
        name=model.name,
        names=list(names_of(model, service.settings.embedding_model_names)),
        version=model.version,
        dimension=model.encoder.dimension,
        max_tokens=model.encoder.max_tokens,
        digest=model.digest,
        backend=model.encoder.backend,
        prompts=model.encoder.prompts,
    )
