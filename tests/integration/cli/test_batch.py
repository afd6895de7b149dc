"""`mlp batch` against a running service and a worker."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from mlplatform.objects import ObjectStore
from services.model_serving.settings import ServingSettings
from tests.fixtures.programs import run_mlp
from tests.integration.model_serving.batch.conftest import objects, settings
from tests.integration.model_serving.batch.workers import worker
from tests.integration.model_serving.conftest import publisher
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import eventually, serving

__all__ = ["objects", "publisher", "settings"]

ROWS = "a,b,c\n" + "".join(f"{number},0,0\n" for number in range(20))
SECRET = "the secret of an operator, long enough"


@dataclass(frozen=True)
class Shell:
    """Where a test types commands."""

    model: str
    environment: dict[str, str]
    folder: Path

    async def type(self, *words: object) -> tuple[int, str, str]:
        """Run a command as a process of its own; return its status and what it printed."""
        ran = await asyncio.to_thread(run_mlp, "batch", *map(str, words), environment=os.environ | self.environment)
        return ran.returncode, ran.stdout, ran.stderr

    def file(self, name: str, text: str) -> Path:
        """Write a file of items."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
async def shell(
    settings_env: dict[str, str],
    settings: ServingSettings,
    objects: ObjectStore,
    publisher: Publisher,
    tmp_path: Path,
) -> AsyncIterator[Shell]:
    """Yield a shell beside a service on a socket, without a worker."""
    publisher.linear(2.0)
    environment = settings_env | {"ML_S3_BUCKET": settings.s3_bucket}
    async with serving(environment, publisher, tmp_path, ML_BATCH_WEBHOOK_SECRET=SECRET) as service:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(service.application, lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            running = asyncio.create_task(server.serve([listener]))

            async def started() -> bool:
                return server.started

            await eventually(started)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield Shell(publisher.name, settings_env | {"ML_SERVING_URL": url, "COLUMNS": "200"}, tmp_path)
            server.should_exit = True
            await running


class TestWorked:
    async def test_submitted_watched_and_fetched(self, shell: Shell, settings_env: dict[str, str]) -> None:
        rows = shell.file("rows.csv", ROWS)
        async with worker(settings_env, shell.folder):
            status, printed, said = await shell.type(
                "submit", shell.model, rows, "--version", 1, "--watch", "--json", "--key", "once"
            )
            assert status == 0, said
            job = json.loads(printed)
            assert (job["state"], job["items"], job["succeeded"]) == ("completed", 20, 20)
            status, printed, _ = await shell.type(
                "submit", shell.model, rows, "--version", 1, "--key", "once", "--json"
            )
            assert (status, json.loads(printed)["id"]) == (0, job["id"])
            output = shell.folder / "results.jsonl"
            status, _, said = await shell.type("fetch", job["id"], "--output", output)
            assert status == 0, said
            results = [json.loads(line) for line in output.read_text().splitlines()]
            assert [one["item"] for one in results] == list(range(20))
            assert len({json.dumps(one["output"]) for one in results}) == 20

    async def test_items_that_fail_are_told(self, shell: Shell, settings_env: dict[str, str]) -> None:
        rows = shell.file("rows.jsonl", '{"a": 1, "b": 0, "c": 0}\n{"a": "no number", "b": 0, "c": 0}\n')
        async with worker(settings_env, shell.folder):
            status, printed, _ = await shell.type("submit", shell.model, rows, "--version", 1, "--watch")
            assert status == 1
            assert "1 succeeded, 1 failed" in printed
            job = printed.split()[1]
            status, printed, _ = await shell.type("fetch", job, "--failed")
            (failed,) = map(json.loads, printed.splitlines())
            assert (status, failed["item"], failed["error"]["code"]) == (0, 1, "invalid_inputs")


class TestTable:
    async def test_all_of_its_rows_are_in_the_file(
        self, settings: ServingSettings, shell: Shell, settings_env: dict[str, str]
    ) -> None:
        service = shell.environment["ML_SERVING_URL"]
        async with (
            worker(settings_env | {"ML_S3_BUCKET": settings.s3_bucket}, shell.folder),
            httpx.AsyncClient() as client,
        ):
            answer = await client.post(
                f"{service}/api/v1/batch/table",
                params={"model": shell.model, "version": 1, "results": "csv"},
                content=ROWS + "3,1,no number\n",
                headers={"Content-Type": "text/csv"},
            )
            assert answer.status_code == 202, answer.text
            job = answer.json()["id"]
            assert (await shell.type("watch", job))[0] == 1
            output = shell.folder / "results.csv"

            async def fetched() -> bool:
                return (await shell.type("fetch", job, "--output", output))[0] == 0

            await eventually(fetched)
        assert len(output.read_text().splitlines()) == 22
        status, _, said = await shell.type("fetch", job)
        assert (status, "--output" in said) == (64, True)
        status, _, said = await shell.type("fetch", job, "--output", shell.folder / "results.parquet")
        assert (status, (shell.folder / "results.parquet").exists()) != (0, True)
        assert list(shell.folder.glob("*.part")) == []


class TestRefused:
    async def test_results_of_a_job_that_goes_on(self, shell: Shell) -> None:
        status, printed, said = await shell.type(
            "submit", shell.model, shell.file("rows.csv", ROWS), "--version", 1, "--json"
        )
        assert status == 0, said
        job = json.loads(printed)["id"]
        status, _, said = await shell.type("fetch", job)
        assert status == 1
        assert f"mlp batch watch {job}" in said
        status, printed, _ = await shell.type("fetch", job, "--partial")
        assert (status, printed) == (0, "")

    async def test_what_the_service_says(self, shell: Shell) -> None:
        rows = shell.file("rows.csv", ROWS)
        status, _, said = await shell.type("submit", shell.model, rows, "--version", 77)
        assert (status, "77" in said) == (1, True)
        status, _, said = await shell.type("submit", shell.model, rows, "--webhook", "https://127.0.0.1/")
        assert (status, "body.webhook" in said) == (1, True)
        status, _, said = await shell.type("submit", shell.model, rows, "--version", 1, "--alias", "a")
        assert (status, "not both" in said) == (64, True)
        status, _, said = await shell.type("submit", shell.model, rows, "--param", "x")
        assert (status, "--param" in said) == (64, True)


class TestKey:
    async def test_it_is_the_same_each_time(self, shell: Shell) -> None:
        first, second = await shell.type("webhook-key"), await shell.type("webhook-key")
        assert first[0] == 0, first[2]
        assert first[1] == second[1]
        assert len(first[1].strip()) == 64
