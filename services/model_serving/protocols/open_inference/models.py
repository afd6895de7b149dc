"""Endpoints of single models: inference, metadata, readiness, statistics."""

import asyncio

import orjson

from mlplatform.service import DirectRequest, DirectResponse
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import ModelNotLoadedError
from services.model_serving.protocols.inference import call_of, check_alias, check_model, check_version
from services.model_serving.protocols.large import is_large
from services.model_serving.protocols.open_inference.binary_data import HEADER
from services.model_serving.protocols.open_inference.content import check_content
from services.model_serving.protocols.open_inference.infer_body import RAW, InferBody
from services.model_serving.protocols.open_inference.infer_response import respond
from services.model_serving.protocols.open_inference.metadata import model_metadata
from services.model_serving.protocols.open_inference.statistics import model_statistics
from services.model_serving.serving import serving_of


async def infer(request: DirectRequest) -> DirectResponse:
    """Predict with the version in production, or the one that the path names."""
    name, version, alias = _named(request)
    check_content(request.headers)
    header_length = request.headers.get(HEADER)
    body = InferBody(request.body, header_length)
    answer = await serving_of(request.app).dataplane.infer(call_of(request, name, (version, alias), body.read))
    wanted, raw = body.request, header_length == RAW
    if is_large(answer.predictions):
        return await asyncio.to_thread(respond, answer, wanted, raw=raw)
    return respond(answer, wanted, raw=raw)


async def show_model(request: DirectRequest) -> DirectResponse:
    """Describe what a model takes and gives."""
    model = await _model(request)
    versions = serving_of(request.app).residents.find(model.identity.name)
    return DirectResponse(orjson.dumps(model_metadata(model, list(versions))))


async def show_readiness(request: DirectRequest) -> DirectResponse:
    """Say whether a model can predict now."""
    name = request.params["name"]
    try:
        await _model(request)
    except ModelNotLoadedError as error:
        return DirectResponse(orjson.dumps({"name": name, "ready": False, "error": error.detail}), error.status)
    return DirectResponse(orjson.dumps({"name": name, "ready": True}))


async def show_statistics(request: DirectRequest) -> DirectResponse:
    """Tell how often a model was called here, and how long it took."""
    if "name" not in request.params:
        return DirectResponse(orjson.dumps(model_statistics()))
    model = await _model(request)
    version = model.identity.version if "choice" in request.params else None
    return DirectResponse(orjson.dumps(model_statistics(model.identity.name, version)))


async def _model(request: DirectRequest) -> LoadedModel:
    name, version, alias = _named(request)
    choice = await serving_of(request.app).versions.choose(name, version=version, alias=alias)
    return choice.model


def _named(request: DirectRequest) -> tuple[str, str | None, str | None]:
    """Return the model of a path, and the number or the alias of its version."""
    name, choice = check_model(request.params["name"]), request.params.get("choice")
    if choice is None:
        return name, None, None
    if choice.isdigit() and choice.isascii():
        return name, check_version(choice), None
    return name, None, check_alias(choice)
