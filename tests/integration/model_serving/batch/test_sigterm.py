"""A worker that is told to end leaves nothing half done, and nothing undone."""

import asyncio
import signal
from pathlib import Path

import psycopg

from tests.integration.model_serving.batch.workers import ended, results, submit, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import DEADLINE, eventually, serving

ROWS = [{"a": float(number), "b": 0.0, "c": 0.0} for number in range(100, 106)]
CHANGES = {"ML_BATCH_CHUNK_ITEMS": "2", "ML_BATCH_TURN": "1h", "ML_SHUTDOWN_TIMEOUT": "5m"}


class TestTerm:
    async def test_the_chunk_at_hand_is_finished_and_the_others_are_for_the_next_worker(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path, owner: psycopg.Connection
    ) -> None:
        gates = tmp_path / "gates"
        publisher.gated(gates)

        async def begun() -> list[str]:
            return [line.split()[0] for line in (gates / "begun").read_text().splitlines()]

        async def draining() -> bool:
            return "batch.draining" in (tmp_path / "worker.log").read_text()

        async with serving(settings_env, publisher, tmp_path / "serving", **CHANGES) as service:
            async with worker(settings_env, tmp_path, **CHANGES) as (_, process):
                place = await submit(service, publisher, ROWS, version=1)
                await eventually(begun)
                process.send_signal(signal.SIGTERM)
                await eventually(draining)
                for row in ROWS:
                    (gates / f"{row['a']:g}").touch()
                async with asyncio.timeout(DEADLINE):
                    assert await process.wait() == 0
            chunks = owner.execute(
                "SELECT state, claim, deaths FROM batch_chunks WHERE kind = 'score' ORDER BY number"
            ).fetchall()
            assert chunks == [("done", 1, 0), ("queued", 0, 0), ("queued", 0, 0)]
            assert await begun() == ["100", "101"]
            async with worker(settings_env, tmp_path, **CHANGES):
                job = await ended(service, place)
            found = await results(service, place)
        assert (job["state"], job["succeeded"]) == ("completed", 6)
        assert [one["output"] for one in found] == [2 * row["a"] for row in ROWS]
        assert await begun() == [f"{row['a']:g}" for row in ROWS]  # each once
        assert "Traceback" not in (tmp_path / "worker.log").read_text()
