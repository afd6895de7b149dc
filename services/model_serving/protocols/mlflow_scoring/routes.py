"""The endpoints of `mlflow models serve`, and the same for one model among many."""

import asyncio

import mlflow

from mlplatform.auth import Permission
from mlplatform.service import DirectRequest, DirectResponse, DirectRoute
from services.model_serving.protocols.inference import call_of, check_alias, check_model, check_version
from services.model_serving.protocols.large import is_large
from services.model_serving.protocols.mlflow_scoring import documents
from services.model_serving.protocols.mlflow_scoring.content_type import Form, form_of
from services.model_serving.protocols.mlflow_scoring.default_model import default_model
from services.model_serving.protocols.mlflow_scoring.errors import render_error
from services.model_serving.protocols.mlflow_scoring.json_request import JsonRequest
from services.model_serving.protocols.mlflow_scoring.rendering import render
from services.model_serving.protocols.mlflow_scoring.table_request import TableRequest
from services.model_serving.protocols.native import model_headers
from services.model_serving.serving import serving_of
from services.model_serving.settings import ServingSettings
from services.model_serving.signature import MLFLOW, MLFLOW_COMPAT

TAGS = ("mlflow scoring",)


async def score_default(request: DirectRequest) -> DirectResponse:
    """Score with the default model."""
    chosen = _settings(request).serving_default_model
    return await _score(request, default_model(chosen, serving_of(request.app).residents.in_production), None, None)


async def score(request: DirectRequest) -> DirectResponse:
    """Score with the model, version or alias of the path."""
    params = request.params
    version, alias = params.get("version"), params.get("alias")
    return await _score(
        request,
        check_model(params["name"]),
        None if version is None else check_version(version),
        None if alias is None else check_alias(alias),
    )


async def show_version(_: DirectRequest) -> DirectResponse:
    """Say which MLflow the answers are compatible with."""
    return DirectResponse(mlflow.__version__.encode())


async def _score(request: DirectRequest, model: str, version: str | None, alias: str | None) -> DirectResponse:
    settings = _settings(request)
    policy = MLFLOW_COMPAT if settings.serving_mlflow_compat else MLFLOW
    form = form_of(request.headers.get("content-type"))
    body: JsonRequest | TableRequest
    if form is Form.JSON:
        body = JsonRequest(request.body, policy)
    else:
        body = TableRequest(request.body, form, policy, settings.serving_max_rows)
    call = call_of(request, model, (version, alias), body.read, size=body.size)
    answer = await serving_of(request.app).dataplane.infer(call)
    found, wrapped = answer.predictions, body.wrapped
    large = is_large(found)
    text = await asyncio.to_thread(render, found, wrapped=wrapped) if large else render(found, wrapped=wrapped)
    return DirectResponse(text, headers=model_headers(answer))


def _settings(request: DirectRequest) -> ServingSettings:
    settings = request.app.state.kernel.settings
    if not isinstance(settings, ServingSettings):
        raise TypeError("the kernel of the service was not opened with its settings")
    return settings


def _scoring(path: str) -> DirectRoute:
    handle = score if "{name}" in path else score_default
    return DirectRoute("POST", path, Permission.PREDICT, handle, render_error, documents.scoring(path), TAGS)


ROUTES = [
    _scoring("/invocations"),
    _scoring("/models/{name}/invocations"),
    _scoring("/models/{name}/versions/{version}/invocations"),
    _scoring("/models/{name}/aliases/{alias}/invocations"),
    DirectRoute("GET", "/version", Permission.READ, show_version, render_error, documents.VERSION, TAGS),
]
