"""Reindexing by actors on a cluster of this machine's own, with the loss of an actor and of the driver."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import psutil
import pytest

from mlplatform.spaces import changes, repository
from services.embedding import model_files, registration
from tests.integration.embedding.rows import request, states, vectors, write
from tests.integration.embedding.waiting import eventually

pytest.importorskip("ray", reason="the extra ml-platform[ray] is not installed")

ROOT = Path(__file__).parents[3]
ITEMS = 400
PATIENCE = 600.0
"""A cluster takes a while to start on a busy machine."""


class TestRay:
    @pytest.mark.timeout(2 * PATIENCE)
    async def test_survives_the_loss_of_an_actor_and_of_the_driver(self, kernel, embedders, indexer):
        for start in range(0, ITEMS, 100):
            refs = [await write(kernel.database, "acme", f"{at:04}", f"text {at}") for at in range(start, start + 100)]
            await indexer.handle([request("acme", *refs)])
        assert {state for state, _ in (await states(kernel.database, "acme")).values()} == {"embedded"}
        space_id = await define(kernel, embedders)

        driver = await start_driver()
        try:
            await eventually(lambda: more_are_done(kernel, space_id, 0), PATIENCE)
            actors = actors_of(driver.pid)
            for actor in actors:
                actor.send_signal(signal.SIGKILL)
            before = len(await vectors(kernel.database, "acme", space_id))
            await eventually(lambda: more_are_done(kernel, space_id, before), PATIENCE)
        finally:
            driver.kill()  # without a chance to say good-bye
            await driver.wait()
        left = ITEMS - len(await vectors(kernel.database, "acme", space_id))

        again = await start_driver()
        output, complaints = await again.communicate()

        assert actors
        assert again.returncode == 0, complaints.decode()
        answer = json.loads(output.decode().strip().rpartition("\n")[2])
        assert (answer["left"], 0 < answer["lacked"] <= left) == (0, True)
        assert len(await vectors(kernel.database, "acme", space_id)) == ITEMS


async def define(kernel, embedders) -> int:
    """Make a space of the second version of the model, as a node would."""
    record = await changes.plan(kernel.database, registration.MODEL, "2", "operator:test")
    files = await asyncio.to_thread(model_files.fetch, embedders.registry, embedders.folder / "cache", "2")
    async with kernel.database.transaction() as connection:
        await repository.define_space(connection, record.id, files.digest, 48)
    return record.id


async def start_driver() -> asyncio.subprocess.Process:
    words = ("--entity", "doc", "--engine", "ray", "--batch-size", "4", "--shard-size", "50", "--json")
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "scripts/reindex_all.py", *words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def actors_of(driver: int) -> list[psutil.Process]:
    """Return the processes that the driver's own cluster runs actors in."""
    children = psutil.Process(driver).children(recursive=True)
    return [child for child in children if "MapWorker" in " ".join(child.cmdline())]


async def more_are_done(kernel, space_id: int, before: int) -> bool:
    return len(await vectors(kernel.database, "acme", space_id)) > before
