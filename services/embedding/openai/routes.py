"""`/v1/embeddings` and `/v1/models`."""

import asyncio

import orjson

from mlplatform.auth import Permission
from mlplatform.service import DirectRequest, DirectResponse, DirectRoute, check_content_type, unless_gone
from services.embedding.embedder import Wanted
from services.embedding.limits import check_dimensions, check_texts
from services.embedding.naming import check_name, names_of
from services.embedding.openai import documents
from services.embedding.openai.errors import render_error
from services.embedding.openai.reading import DIMENSIONS, INPUT, EmbeddingsRequest, read_request
from services.embedding.openai.rendering import render
from services.embedding.routes.embed import LARGE_ANSWER, LARGE_BODY
from services.embedding.served_model import ServedModel
from services.embedding.service import EmbeddingService, service_of

OWNER = "ml-platform"
TAGS = ("openai",)


async def embeddings(request: DirectRequest) -> DirectResponse:
    """Return one unit vector per input."""
    check_content_type(request.headers)
    service = service_of(request.app)
    model = service.node.model
    large = len(request.body) >= LARGE_BODY
    read = (request.body, service, model)
    wanted = await asyncio.to_thread(_read, *read) if large else _read(*read)
    work = service.embedder.embed(model, Wanted(wanted.texts, request.principal.tenant, dimensions=wanted.dimensions))
    encoded = await unless_gone(work, request.gone)
    if encoded.vectors.size > LARGE_ANSWER:
        return DirectResponse(await asyncio.to_thread(render, encoded, wanted.model, base64=wanted.base64))
    return DirectResponse(render(encoded, wanted.model, base64=wanted.base64))


async def list_models(request: DirectRequest) -> DirectResponse:
    """List the models in memory, by each of their names."""
    service = service_of(request.app)
    names = names_of(service.node.model, service.settings.embedding_model_names)
    return DirectResponse(orjson.dumps({"object": "list", "data": [_model(name, service) for name in names]}))


async def show_model(request: DirectRequest) -> DirectResponse:
    """Describe a model in memory."""
    service = service_of(request.app)
    name = request.params["model"]
    check_name(name, service.node.model, service.settings.embedding_model_names)
    return DirectResponse(orjson.dumps(_model(name, service)))


def _read(body: bytes, service: EmbeddingService, model: ServedModel) -> EmbeddingsRequest:
    wanted = read_request(body)
    check_name(wanted.model, model, service.settings.embedding_model_names)
    check_dimensions(wanted.dimensions, model.encoder.dimension, DIMENSIONS)
    check_texts(wanted.texts, service.settings, field=INPUT, vocabulary=model.encoder.vocabulary)
    return wanted


def _model(name: str, service: EmbeddingService) -> dict[str, object]:
    return {"id": name, "object": "model", "created": service.started, "owned_by": OWNER}


ROUTES = [
    DirectRoute("POST", "/v1/embeddings", Permission.EMBED, embeddings, render_error, documents.EMBEDDINGS, TAGS),
    DirectRoute("GET", "/v1/models", Permission.READ, list_models, render_error, documents.MODELS, TAGS),
    DirectRoute("GET", "/v1/models/{model}", Permission.READ, show_model, render_error, documents.MODEL, TAGS),
]
