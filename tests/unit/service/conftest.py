from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel

from mlplatform.auth import public
from mlplatform.errors import NotFound
from mlplatform.service import JsonResponse, ServiceRouter, create_service
from mlplatform.settings import PlatformSettings

BODY_LIMIT = 1024


class Numbers(BaseModel):
    values: list[float]


@asynccontextmanager
async def no_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


def make_router() -> ServiceRouter:
    router = ServiceRouter(dependencies=[public()])

    @router.get("/things/{name}")
    async def read_thing(name: str) -> dict[str, str]:
        if name == "none":
            raise NotFound("There is no such thing.")
        if name == "broken":
            raise RuntimeError("password=hunter2")
        return {"name": name}

    @router.delete("/things/{name}", status_code=204)
    async def delete_thing(name: str) -> None:
        """Delete nothing."""

    @router.post("/sums")
    async def add(numbers: Numbers) -> float:
        return sum(numbers.values)

    @router.post("/lengths")
    async def measure(request: Request) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @router.get("/gaps")
    async def read_gaps() -> JsonResponse:
        return JsonResponse({"values": [1.0, float("nan"), float("inf")], 5: "five"})

    return router


def make_app(settings: PlatformSettings) -> FastAPI:
    return create_service(
        settings=settings,
        title="Tested Service",
        description="Serves tests.",
        lifespan=no_lifespan,
        routers=[make_router()],
        streamed=["/lengths"],
    )


@pytest.fixture(scope="module")
def app() -> FastAPI:
    origins = ("https://ui.example.org",)
    return make_app(PlatformSettings(max_body_size=BODY_LIMIT, cors_origins=origins))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client
