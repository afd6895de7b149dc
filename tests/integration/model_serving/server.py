"""The service as a process of its own."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.fixtures.forked import ForkedProcess
from tests.integration.model_serving.batch import forked_worker
from tests.integration.model_serving.forwarder import free_port
from tests.integration.model_serving.running import DEADLINE


@asynccontextmanager
async def server(
    environment: dict[str, str], folder: Path, *, imported: Sequence[str] = forked_worker.IMPORTED
) -> AsyncIterator[tuple[httpx.AsyncClient, ForkedProcess]]:
    """Run `python -m services.model_serving` for the time of the block.

    Args:
        environment: Its settings.
        folder: Where its log and its cache are.
        imported: Modules that it has from the beginning, which else takes seconds for each process that loads models.
    """
    port = free_port()
    with (folder / "server.log").open("wb") as output:
        process = await ForkedProcess.start(
            *("-m", "services.model_serving"),
            imported=imported,
            environment=os.environ
            | environment
            | {"ML_SERVING_PORT": str(port), "ML_SERVING_CACHE": str(folder / "cache")},
            output=output,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE) as client:
            yield client, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answered(client: httpx.AsyncClient, path: str) -> dict[str, Any] | None:
    """Return what is answered if that is a success."""
    answer = await client.get(path)
    return answer.json() if answer.status_code == 200 else None


def log_of(folder: Path) -> str:
    """Return what a server has logged."""
    return (folder / "server.log").read_text()
