"""The progress of a job as those see it who watch its events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.integration.model_serving.batch.workers import submit, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import DEADLINE, on_a_socket, serving

ROWS = [{"a": float(number), "b": 0.0, "c": 0.0} for number in range(100, 106)]
CHUNK = 2
CHANGES = {"ML_BATCH_CHUNK_ITEMS": str(CHUNK), "ML_BATCH_TURN": "1h"}


async def events(client: httpx.AsyncClient, place: str, **headers: str) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    """Yield the names of events with what they say, until the stream ends."""
    async with client.stream("GET", f"{place}/events", headers=headers) as stream:
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, orjson.loads(line.removeprefix("data: "))


class TestEvents:
    async def test_each_chunk_is_told_and_who_comes_again_hears_how_it_is(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        gates = tmp_path / "gates"
        publisher.gated(gates)
        told: list[tuple[str, dict[str, Any]]] = []
        again: dict[int, tuple[str, dict[str, Any]]] = {}
        async with (
            serving(settings_env, publisher, tmp_path / "serving", **CHANGES) as service,
            on_a_socket(service) as url,
            httpx.AsyncClient(base_url=url, timeout=DEADLINE) as client,
            worker(settings_env, tmp_path, **CHANGES),
        ):
            place = await submit(service, publisher, ROWS, version=1)
            async for name, job in events(client, place):
                told.append((name, job))
                done = job["succeeded"]
                if done not in again:
                    async with aclosing(events(client, place, **{"Last-Event-ID": "1"})) as others:
                        again[done] = await anext(others)
                for row in ROWS[done : done + CHUNK]:
                    (gates / f"{row['a']:g}").touch()
        assert [name for name, _ in told] == ["progress"] * (len(told) - 1) + ["end"]
        counts = [job["succeeded"] for _, job in told]
        assert counts == sorted(counts)
        assert sorted(set(counts)) == [0, 2, 4, 6]
        assert (told[-1][1]["state"], {job["items"] for _, job in told}) == ("completed", {6})
        assert {done: job["succeeded"] for done, (_, job) in again.items()} == {0: 0, 2: 2, 4: 4, 6: 6}
        assert again[6] == told[-1]
