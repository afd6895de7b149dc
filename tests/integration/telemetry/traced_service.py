"""A service that a test starts as a process of its own: OpenTelemetry takes one provider for the life of a process."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from structlog import get_logger

from mlplatform.auth import public
from mlplatform.service import ServiceRouter, create_service, get_kernel, open_kernel, run_service
from mlplatform.settings import PlatformSettings

SLOW_SECONDS = 0.5


def make_app() -> FastAPI:
    settings = PlatformSettings()
    router = ServiceRouter(dependencies=[public()])

    @router.get("/ping/{name}")
    async def ping(name: str, request: Request) -> str:
        await get_kernel(request).database.ping()
        return name

    @router.get("/slow")
    async def wait() -> str:
        get_logger(__name__).info("slow_began")
        await asyncio.sleep(SLOW_SECONDS)
        return "done"

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_kernel(settings, "traced") as kernel:
            app.state.kernel = kernel
            yield

    return create_service(settings=settings, title="Traced", description="x", lifespan=lifespan, routers=[router])


if __name__ == "__main__":
    run_service(make_app, PlatformSettings(), int(os.environ["TRACED_PORT"]), name="traced")
