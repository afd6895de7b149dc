"""A job is cancelled while a model is busy that nothing but its end can interrupt."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.integration.model_serving.batch.workers import ended, results, submit, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import eventually, serving

FOREVER = {"computes in C": "sum(range(10**15))", "sleeps": "time.sleep(10**8)"}
"""Months; the first lets no other thread of its process run."""
BUSY = """
    import os, time
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            if (model_input["a"] == 100).any():
                with open({notes!r}, "w") as notes:
                    notes.write(f"{{os.getpid()}}\\n")
                {forever}
            return model_input["a"] * 2

    set_model(Model())
"""
ROWS = [{"a": value, "b": 0.0, "c": 0.0} for value in (1.0, 2.0, 100.0, 3.0, 4.0, 5.0)]


@contextmanager
def ended_after(pid: int) -> Iterator[psutil.Process]:
    """Yield a process, and end it after the block, lest it is busy for ever when it should not be."""
    process = psutil.Process(pid)
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()


class TestBusy:
    @pytest.mark.parametrize("forever", FOREVER.values(), ids=FOREVER)
    async def test_the_process_is_ended_and_results_that_were_there_stay(
        self,
        publisher: Publisher,
        settings_env: dict[str, str],
        tmp_path: Path,
        owner: psycopg.Connection,
        forever: str,
    ) -> None:
        notes = tmp_path / "notes"
        await asyncio.to_thread(notes.touch)
        publisher.code(BUSY.format(notes=str(notes), forever=forever))
        changes = {"ML_BATCH_CHUNK_ITEMS": "2"}

        async def busy() -> str:
            return (await asyncio.to_thread(notes.read_text)).removesuffix("\n")

        async with (
            serving(settings_env, publisher, tmp_path / "serving", **changes) as service,
            worker(settings_env, tmp_path, **changes),
        ):
            place = await submit(service, publisher, ROWS, version=1)
            with ended_after(int(await eventually(busy))) as scorer:
                answer = await service.client.post(f"{place}/cancel")
                counts = [answer.json()[name] for name in ("state", "succeeded", "failed", "cancelled")]

                async def gone() -> bool:
                    return not scorer.is_running() or scorer.status() == psutil.STATUS_ZOMBIE

                await eventually(gone)
            following = await ended(service, await submit(service, publisher, ROWS[:2], version=1))
            found = await results(service, place)
        assert (answer.status_code, counts) == (200, ["cancelled", 2, 0, 4])
        assert [(one["item"], one["output"]) for one in found] == [(0, 2.0), (1, 4.0)]
        assert following["succeeded"] == 2
        assert owner.execute("SELECT max(deaths) FROM batch_chunks").fetchone() == (0,)
