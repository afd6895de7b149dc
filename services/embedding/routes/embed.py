"""Text to vectors in the platform's own protocol."""

import asyncio

import orjson

from mlplatform.auth import Permission
from mlplatform.embedders.prompts import document_prompt, query_prompt
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
from services.embedding.batcher import Encoded
from services.embedding.embedder import Wanted
from services.embedding.limits import check_dimensions, check_prompt, check_texts
from services.embedding.naming import check_name
from services.embedding.schemas import EmbedAnswer, EmbedRequest
from services.embedding.served_model import ServedModel
from services.embedding.service import EmbeddingService, service_of
from services.embedding.settings import EmbeddingSettings

LARGE_BODY = 65_536
"""Bytes from which on a body is read in a thread."""
LARGE_ANSWER = 32_768
"""Numbers from which on an answer is written in a thread."""
NO_JSON = "The body is not valid JSON in UTF-8; NaN and Infinity are not JSON."
DESCRIPTION = """Return one unit vector per text, in the order of the texts.

A text that is longer than the model reads is cut, and `truncated` has its position. Equal texts of one moment are
computed once, and vectors are kept in a cache.
"""


async def embed(request: DirectRequest) -> DirectResponse:
    """Return one unit vector per text."""
    check_content_type(request.headers)
    service = service_of(request.app)
    body = request.body
    if len(body) < LARGE_BODY:
        wanted = _read(body, service.settings)
    else:
        wanted = await asyncio.to_thread(_read, body, service.settings)
    model = service.node.find(wanted.digest)
    check_name(wanted.model, model, service.settings.embedding_model_names)
    check_dimensions(wanted.dimensions, model.encoder.dimension)
    encoded = await unless_gone(_embed(service, model, wanted, request.principal.tenant), request.gone)
    large = encoded.vectors.size > LARGE_ANSWER
    content = await asyncio.to_thread(_render, model, encoded) if large else _render(model, encoded)
    return DirectResponse(content)


async def _embed(service: EmbeddingService, model: ServedModel, wanted: EmbedRequest, tenant: str) -> Encoded:
    prompt = _prompt_of(wanted, model)
    return await service.embedder.embed(model, Wanted(wanted.texts, tenant, prompt, wanted.dimensions))


def _read(body: bytes, settings: EmbeddingSettings) -> EmbedRequest:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(NO_JSON) from error
    wanted = validate_body(content, EmbedRequest)
    check_texts(wanted.texts, settings)
    check_prompt(wanted.prompt or "")
    return wanted


def _prompt_of(wanted: EmbedRequest, model: ServedModel) -> str:
    """Return the text that goes before each text; an empty one for what the model itself puts there."""
    if wanted.input_type is not None:
        if wanted.prompt is not None or wanted.prompt_name is not None:
            message = "cannot be given together with `prompt` or `prompt_name`"
            raise Unprocessable("There are two prompts.", errors=[FieldError("body.input_type", message)])
        prompts = model.encoder.prompts
        return query_prompt(prompts) if wanted.input_type == "query" else document_prompt(prompts)
    if wanted.prompt_name is None:
        return wanted.prompt or ""
    if wanted.prompt is not None:
        message = "cannot be given together with `prompt`"
        raise Unprocessable("There are two prompts.", errors=[FieldError("body.prompt_name", message)])
    known = model.encoder.prompts
    if wanted.prompt_name not in known:
        message = f"must be one of {', '.join(known)}" if known else "cannot be given: the model has no prompts"
        raise Unprocessable("The model has no such prompt.", errors=[FieldError("body.prompt_name", message)])
    return known[wanted.prompt_name]


def _render(model: ServedModel, encoded: Encoded) -> bytes:
    content = {
        "model": model.name,
        "version": model.version,
        "digest": model.digest,
        "dimension": encoded.vectors.shape[1],
        "embeddings": encoded.vectors,
        "tokens": encoded.token_counts,
        "truncated": encoded.truncated,
        "usage": {"tokens": sum(encoded.token_counts)},
    }
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


ROUTES = [
    DirectRoute(
        "POST",
        "/api/v1/embed",
        Permission.EMBED,
        embed,
        openapi={
            "summary": "Turn texts into vectors",
            "description": DESCRIPTION,
            "requestBody": json_body(EmbedRequest),
            "responses": {200: {"model": EmbedAnswer}},
        },
        tags=("embedding",),
    )
]
