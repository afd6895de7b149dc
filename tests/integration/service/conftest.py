from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request

from mlplatform.auth import public
from mlplatform.service import DirectRoute, ServiceRouter, create_service, get_kernel, open_kernel
from mlplatform.settings import PlatformSettings


def make_router() -> ServiceRouter:
    router = ServiceRouter(dependencies=[public()])

    @router.get("/postgres")
    async def ask_postgres(request: Request, text: str = "") -> int:
        async with get_kernel(request).database.transaction() as connection:
            row = await (await connection.execute("SELECT length(%s::text) AS length", (text,))).fetchone()
        assert row is not None
        return int(row["length"])

    @router.get("/redis")
    async def ask_redis(request: Request) -> bool:
        return bool(await get_kernel(request).redis.ping())

    return router


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with open_kernel(app.state.settings, "tested") as kernel:
        app.state.kernel = kernel
        kernel.health.register("s3", kernel.objects.ping)
        yield


@asynccontextmanager
async def serving(settings: PlatformSettings, direct: Sequence[DirectRoute] = ()) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a running service with the kernel's parts."""
    app = create_service(
        settings=settings,
        title="Tested",
        description="Serves tests.",
        lifespan=lifespan,
        routers=[make_router()],
        direct=direct,
    )
    app.state.settings = settings
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield client


@pytest.fixture
def settings(settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> PlatformSettings:
    for name, value in settings_env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ML_OTLP_ENDPOINT", raising=False)  # a process takes one provider of traces for its life
    return PlatformSettings()


@pytest.fixture
def dead(unused_tcp_port: int) -> PlatformSettings:
    """Settings of a service none of whose stores answers."""
    address = f"127.0.0.1:{unused_tcp_port}"
    return PlatformSettings(
        database_url=f"postgresql://ml_app:hunter2@{address}/platform",
        redis_url=f"redis://:hunter2@{address}/0",
        s3_endpoint=f"http://{address}",
        s3_access_key="access",
        s3_secret_key="hunter2",
        otlp_endpoint=None,
    )
