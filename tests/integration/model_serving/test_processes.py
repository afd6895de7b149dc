"""Several processes on one port."""

import asyncio
import os
import re
import signal
from collections import Counter
from pathlib import Path
from time import perf_counter

import httpx
import pytest

from tests.e2e.load import Load
from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import eventually
from tests.integration.model_serving.server import answered, log_of, server

INPUTS = records_of(frame_of(3, seed=7))
RENEWAL_SECONDS = 240.0
DELAYED = 0.035
"""Seconds; an answer in two packets without TCP_NODELAY waits 40 ms for the first one to be acknowledged."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")


def environment(settings: dict[str, str], publisher: Publisher, **changes: str) -> dict[str, str]:
    return settings | {
        "ML_SERVING_MODELS": f"{publisher.name}*",
        "ML_SERVING_POLL_INTERVAL": "200ms",
        "ML_SERVING_PROCESSES": "2",
        "ML_SERVING_RENEW_AFTER": "0",
        "ML_RATE_LIMIT_ENABLED": "false",
        **changes,
    }


async def ready(client: httpx.AsyncClient) -> bool:
    try:
        return await answered(client, "/health/ready") is not None
    except httpx.TransportError:
        return False


async def ready_once(url: httpx.URL) -> bool:
    """Ask without keeping a connection, which a process that retires would wait for."""
    async with httpx.AsyncClient(base_url=url) as client:
        return await ready(client)


def descendants(pid: int) -> list[int]:
    """List the processes below one, parents first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in children for found in (int(child), *descendants(int(child)))]


def workers(supervisor: int) -> set[int]:
    return {pid for pid in descendants(supervisor) if not Path(f"/proc/{pid}/task/{pid}/children").read_text()}


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def total(client: httpx.AsyncClient, metric: str, **labels: str) -> float:
    """Add up the samples of a metric that have these labels."""
    text = (await client.get("/metrics")).text
    lines = [line for line in text.splitlines() if re.match(rf"{metric}[{{ ]", line)]
    wanted = [f'{name}="{value}"' for name, value in labels.items()]
    return sum(float(line.rpartition(" ")[2]) for line in lines if all(label in line for label in wanted))


async def predicted(client: httpx.AsyncClient, publisher: Publisher) -> httpx.Response:
    return await client.post("/api/v1/predict", json={"model": publisher.name, "inputs": INPUTS})


class TestTwoProcesses:
    async def test_they_share_what_was_loaded_and_are_counted_as_one(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.promote(publisher.linear(2.0))
        async with server(environment(settings_env, publisher), tmp_path) as (client, process):
            await eventually(lambda: ready(client))
            report = await answered(client, "/health/ready")
            assert report is not None
            assert report["checks"]["processes"]["reason"] == "2 processes."
            before = await total(client, "ml_http_request_duration_seconds_count", route="/api/v1/predict")
            answers = []
            for _ in range(20):
                async with httpx.AsyncClient(base_url=client.base_url) as fresh:  # each connects anew
                    answers.append(await predicted(fresh, publisher))
            after = await total(client, "ml_http_request_duration_seconds_count", route="/api/v1/predict")
            assert {answer.status_code for answer in answers} == {200}
            assert after - before == 20
            assert await total(client, "ml_model_loaded_info", model=publisher.name) == 2
            assert await total(client, "ml_model_load_duration_seconds_count", model=publisher.name) == 0
            assert len(workers(process.pid)) == 2

    async def test_no_answer_waits_for_an_acknowledgement(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        async with server(environment(settings_env, publisher), tmp_path) as (client, _):
            await eventually(lambda: ready(client))
            seconds = []
            for _ in range(50):
                begin = perf_counter()
                await client.get("/health/live")
                seconds.append(perf_counter() - begin)
            assert min(seconds[1:]) < DELAYED

    async def test_one_that_dies_is_replaced_and_nothing_that_was_counted_is_lost(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.promote(publisher.linear(2.0))
        async with server(environment(settings_env, publisher), tmp_path) as (client, process):
            await eventually(lambda: ready(client))
            for _ in range(10):
                assert (await predicted(client, publisher)).status_code == 200
            counted = await total(client, "ml_http_request_duration_seconds_count", route="/api/v1/predict")
            before = workers(process.pid)
            for pid in before:  # whichever answered
                os.kill(pid, signal.SIGKILL)

            async def replaced() -> bool:
                return len(workers(process.pid) - before) == 2 and await ready(client)

            await eventually(replaced)
            assert (await predicted(client, publisher)).status_code == 200
            assert await total(client, "ml_http_request_duration_seconds_count", route="/api/v1/predict") > counted
            assert await total(client, "ml_model_load_duration_seconds_count", model=publisher.name) == 0


class TestThreads:
    async def test_a_model_whose_library_starts_threads_is_loaded_by_each_and_the_others_are_shared(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.promote(publisher.linear(2.0))
        threaded = f"{publisher.name}-onnx"
        publisher.promote(publisher.onnx(name=threaded))
        async with server(environment(settings_env, publisher), tmp_path) as (client, _):
            await eventually(lambda: ready(client))
            assert await total(client, "ml_model_load_duration_seconds_count", model=threaded) == 2
            assert await total(client, "ml_model_load_duration_seconds_count", model=publisher.name) == 0
            answer = await client.post("/api/v1/predict", json={"model": threaded, "inputs": [[1.0, 2.0, 3.0]]})
            assert answer.status_code == 200


class TestRenewal:
    async def test_a_promotion_is_served_and_then_shared_without_a_failed_request(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.promote(publisher.linear(1.0))
        values = environment(settings_env, publisher, ML_SERVING_RENEW_AFTER="1s")
        async with server(values, tmp_path) as (client, process):
            url = client.base_url
            await eventually(lambda: ready_once(url))
            before = workers(process.pid)
            body = {"model": publisher.name, "inputs": INPUTS}
            with Load(f"{url}/api/v1/predict", body, clients=2) as load:
                await asyncio.to_thread(publisher.promote, publisher.linear(2.0))
                await eventually(lambda: _true(load.versions[-2:] == ["2"] * 2))
                await eventually(lambda: _true(not any(exists(pid) for pid in before)), RENEWAL_SECONDS)
                await eventually(lambda: ready_once(url))
                sent = len(load.statuses)
                await eventually(lambda: _true(len(load.statuses) > sent + 20))
            assert load.errors == []
            assert Counter(load.statuses) == {200: len(load.statuses)}
            assert len(workers(process.pid)) == 2
            assert '"event":"group_renewed"' in log_of(tmp_path)


class TestEnd:
    async def test_sigterm_ends_all_of_them(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        async with server(environment(settings_env, publisher), tmp_path) as (client, process):
            await eventually(lambda: ready(client))
            below = descendants(process.pid)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 60) == 0
            assert not any(exists(pid) for pid in below)
        assert "Traceback" not in log_of(tmp_path)

    async def test_none_outlives_the_supervisor(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        async with server(environment(settings_env, publisher), tmp_path) as (client, process):
            await eventually(lambda: ready(client))
            below = descendants(process.pid)
            process.kill()
            await process.wait()
            await eventually(lambda: _true(not any(exists(pid) for pid in below)))


async def _true(condition: bool) -> bool:
    return condition
