"""Endpoints of the model repository extension."""

from collections.abc import AsyncIterator
from typing import Any

import orjson

from mlplatform.errors import BadRequest
from mlplatform.registry.errors import ModelNotFound
from mlplatform.service import DirectRequest, DirectResponse
from services.model_serving.catalog.catalog import Catalog
from services.model_serving.protocols.inference import check_alias, check_model, check_version
from services.model_serving.protocols.json_body import read_json_body
from services.model_serving.protocols.open_inference.errors import InvalidTensor
from services.model_serving.schemas import ModelSummary
from services.model_serving.serving import serving_of

PAGE = 200
MOST_MODELS = 10_000
READY, UNAVAILABLE = "READY", "UNAVAILABLE"
NO_VERSION = "no version is in memory"
ON_DISK = "in production; its next request loads it"


async def list_models(request: DirectRequest) -> DirectResponse:
    """List models with the versions that are in memory, and why one in production is not."""
    ready = _body(request).get("ready", False)
    if not isinstance(ready, bool):
        raise InvalidTensor("ready", "must be true or false")
    serving = serving_of(request.app)
    on_disk = serving.residents.on_disk
    rows: list[dict[str, str]] = []
    async for model in _models(serving.catalog):
        found = _rows(model, ON_DISK if model.name in on_disk else NO_VERSION)
        rows += [row for row in found if not ready or row["state"] == READY]
    return DirectResponse(orjson.dumps(rows))


async def load(request: DirectRequest) -> DirectResponse:
    """Load a version ahead of its first request: by number, by alias, else the one in production."""
    name = check_model(request.params["name"])
    parameters = _parameters(request)
    version, alias = parameters.pop("version", None), parameters.pop("alias", None)
    if parameters or not {type(version), type(alias)} <= {str, type(None)} or (version and alias):
        raise InvalidTensor("parameters", "may have `version` or `alias`, as text, and nothing else")
    choice = await serving_of(request.app).versions.choose(
        name,
        version=None if version is None else check_version(version),
        alias=None if alias is None else check_alias(alias),
    )
    return DirectResponse(orjson.dumps({"name": name, "version": choice.model.identity.version}))


async def unload(request: DirectRequest) -> DirectResponse:
    """Free the versions of a model that are not in production; which one is, promotions decide."""
    name = check_model(request.params["name"])
    if set(_parameters(request)) - {"unload_dependents"}:
        raise InvalidTensor("parameters", "may have `unload_dependents` and nothing else")
    residents = serving_of(request.app).residents
    before = residents.find(name)
    if not before and name not in residents.in_production:
        raise ModelNotFound(f"No version of model {name!r} is in memory.")
    residents.let_go(name)
    kept = sorted(residents.find(name), key=int)
    freed = sorted(before.keys() - set(kept), key=int)
    return DirectResponse(orjson.dumps({"name": name, "unloaded": freed, "in_production": kept}))


async def _models(catalog: Catalog) -> AsyncIterator[ModelSummary]:
    cursor: str | None = None
    for _ in range(MOST_MODELS // PAGE):
        page = await catalog.list_models(PAGE, cursor)
        for model in page.models:
            yield model
        cursor = page.next_cursor
        if cursor is None:
            return


def _rows(model: ModelSummary, absent: str) -> list[dict[str, str]]:
    rows = [{"name": model.name, "version": found.version, "state": READY, "reason": ""} for found in model.loaded]
    if model.failure is not None:
        rows.append(_row(model.name, model.failure.version, model.failure.reason))
    return rows or [_row(model.name, "", absent)]


def _row(name: str, version: str, reason: str) -> dict[str, str]:
    return {"name": name, "version": version, "state": UNAVAILABLE, "reason": reason}


def _parameters(request: DirectRequest) -> dict[str, Any]:
    parameters = _body(request).get("parameters") or {}
    if not isinstance(parameters, dict):
        raise InvalidTensor("parameters", "must be an object")
    return parameters


def _body(request: DirectRequest) -> dict[str, Any]:
    if not request.body:
        return {}
    body = read_json_body(request.body)
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object, or left out.")
    return body
