"""Workers as processes of their own."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.fixtures.forked import ForkedProcess
from tests.integration.model_serving.batch import forked_worker
from tests.integration.model_serving.disk import keep, lend
from tests.integration.model_serving.forwarder import free_port
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import DEADLINE, Service, eventually


@asynccontextmanager
async def worker(
    environment: dict[str, str], folder: Path, **changes: str
) -> AsyncIterator[tuple[httpx.AsyncClient, ForkedProcess]]:
    """Run a worker for the time of the block, which begins when it is ready."""
    port = free_port()
    values = {"ML_BATCH_PORT": str(port), "ML_SERVING_CACHE": str(folder / "cache"), "ML_BATCH_POLL_INTERVAL": "100ms"}
    lend(folder / "cache")
    with (folder / "worker.log").open("ab") as output:
        process = await ForkedProcess.start(
            *("-m", forked_worker.__name__),
            imported=forked_worker.IMPORTED,
            environment=os.environ | environment | values | changes,
            output=output,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE) as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/health/live")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready)
            yield client, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    keep(folder / "cache")


async def submit(service: Service, publisher: Publisher, inputs: list[Any], **fields: Any) -> str:
    """Submit a job, and return where it is."""
    body = {"model": publisher.name, "inputs": inputs, **fields}
    answer = await service.client.post("/api/v1/batch", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def submit_table(
    service: Service, publisher: Publisher, content: bytes, kind: str = "text/csv", **query: str
) -> str:
    """Submit a table, and return where its job is."""
    answer = await service.client.post(
        "/api/v1/batch/table",
        content=content,
        headers={"content-type": kind},
        params={"model": publisher.name, "version": "1", **query},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def upload(service: Service, publisher: Publisher, *contents: bytes, **fields: str) -> str:
    """Submit files, and return where their job is."""
    answer = await service.client.post(
        "/api/v1/batch/files",
        data={"model": publisher.name, "version": "1", **fields},
        files=[("files", (f"{number}.bin", content)) for number, content in enumerate(contents)],
    )
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def ended(service: Service, place: str) -> dict[str, Any]:
    """Wait for the end of a job, and return it."""

    async def look() -> dict[str, Any] | None:
        job = (await service.client.get(place)).json()
        return job if job["finished_at"] else None

    job = await eventually(look)
    assert job["succeeded"] + job["failed"] + job["cancelled"] == job["items"]
    return dict(job)


async def results(service: Service, place: str) -> list[dict[str, Any]]:
    """Return all results of a job, page by page."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = (await service.client.get(f"{place}/results", params=query)).json()
        found += page["results"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert [one["item"] for one in found] == sorted({one["item"] for one in found})
    return found


async def fetch(service: Service, place: str, form: str) -> bytes:
    """Fetch the file of a job's results as soon as it is written."""

    async def look() -> bytes | None:
        answer = await service.client.get(f"{place}/results.{form}")
        if answer.status_code != 307:
            assert answer.status_code == 409, answer.text
            return None
        async with httpx.AsyncClient() as client:
            return (await client.get(answer.headers["location"])).content

    return bytes(await eventually(look))


async def report_of(service: Service, place: str) -> dict[str, Any]:
    """Return the report of a job as soon as it is written."""

    async def look() -> dict[str, Any] | None:
        answer = await service.client.get(f"{place}/report")
        return answer.json() if answer.status_code == 200 else None

    return dict(await eventually(look))
