"""Models and versions over HTTP."""

from typing import Annotated

from fastapi import Query

from mlplatform.auth import Permission, require
from mlplatform.service import ServiceRouter
from services.model_serving.routes.history import render_drift
from services.model_serving.schemas import ExampleRequest, ModelDetail, ModelPage, VersionDetail
from services.model_serving.serving import ServingParts

router = ServiceRouter(prefix="/api/v1/models", tags=["models"], dependencies=[require(Permission.READ)])

Limit = Annotated[int, Query(ge=1, le=200, description="Entries in a page.")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")]


@router.get("", summary="List models")
async def list_models(serving: ServingParts, limit: Limit = 50, cursor: Cursor = None) -> ModelPage:
    """List registered models by name, with the versions of each that are in memory."""
    return await serving.catalog.list_models(limit, cursor)


@router.get("/{name}", summary="Read a model")
async def read_model(name: str, serving: ServingParts) -> ModelDetail:
    """Read a model with its aliases and its newest versions."""
    detail = await serving.catalog.read_model(name)
    drifted = [render_drift(incident) for incident in serving.drift.of(name)]
    return detail.model_copy(update={"drift": drifted}) if drifted else detail


@router.get("/{name}/versions/{version}", summary="Read a version")
async def read_version(name: str, version: str, serving: ServingParts) -> VersionDetail:
    """Read a version with its signature, an example of its inputs, its metrics and whether it is in memory."""
    return await serving.catalog.read_version(name, version)


@router.get("/{name}/versions/{version}/example", summary="Read a request that works")
async def read_example(name: str, version: str, serving: ServingParts) -> ExampleRequest:
    """Read the version's input example as a body for `POST /api/v1/predict`."""
    return await serving.catalog.read_example(name, version)
