"""`scripts/reindex_all.py --engine stream` as an operator runs it, with a node beside it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from mlplatform.events import FillRequest, StreamConsumer, running
from mlplatform.spaces import changes, repository
from mlplatform.spaces.space import Space
from services.embedding.batcher import Batcher
from services.embedding.filling.requests import RequestFiller
from services.embedding.reindexing import command
from services.embedding.reindexing.options import Options
from services.embedding.served_model import Target
from tests.integration.embedding.rows import request, vectors, write
from tests.integration.embedding.waiting import eventually
from tests.unit.embedding.encoders import HaltingEncoder, WordEncoder

ROOT = Path(__file__).parents[3]
ITEMS = 40


@pytest.fixture
async def building(kernel, space, indexer) -> Space:
    """A space that lacks what the searched one has."""
    refs = [await write(kernel.database, "acme", f"{at:02}", f"text {at}") for at in range(ITEMS)]
    await indexer.handle([request("acme", *refs)])
    record = await changes.plan(kernel.database, "text-embedder", "2", "operator:test")
    async with kernel.database.transaction() as connection:
        await repository.define_space(connection, record.id, "b" * 64, space.dimension)
    return Space(record.id, "text-embedder", "2", "b" * 64, space.dimension)


@asynccontextmanager
async def node(kernel, space: Space, encoder: WordEncoder) -> AsyncIterator[None]:
    """Fill a space with what requests name, as an embedding node does."""
    batcher = Batcher(encoder, max_queued_texts=1000)
    filler = RequestFiller(kernel.database, lambda: [Target(space, batcher)])
    consumer = StreamConsumer(kernel.redis, FillRequest.event_type, "embedding", filler.handle)
    async with running(batcher, "encoder"), running(consumer, "fill consumer"):
        yield


async def start(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "scripts/reindex_all.py", "--entity", "doc", "--engine", "stream", *words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(program: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    output, complaints = await program.communicate()
    return program.returncode, output.decode(), complaints.decode()


async def stored(kernel, space: Space) -> int:
    return len(await vectors(kernel.database, "acme", space.id))


class TestProgram:
    async def test_embeds_all_that_lacks_a_vector_and_nothing_the_second_time(self, kernel, building):
        encoder = WordEncoder()
        async with node(kernel, building, encoder):
            status, output, complaints = await ended(await start("--json"))
            again = await ended(await start())

        assert status == 0, complaints
        assert json.loads(output) == {"space": building.id, "engine": "stream", "lacked": ITEMS, "left": 0}
        assert (await stored(kernel, building), sum(encoder.forwarded)) == (ITEMS, ITEMS)
        assert (again[0], f"space {building.id}: 0 of 0 items embedded, 0 left" in again[1]) == (0, True)

    async def test_goes_on_where_one_that_was_killed_has_stopped(self, kernel, building):
        async def some_are_stored() -> bool:
            return await stored(kernel, building) > 0

        encoder = HaltingEncoder()
        async with node(kernel, building, encoder):
            killed = await start("--batch-size", "4", "--backlog", "8")
            await eventually(some_are_stored)
            killed.kill()
            await killed.wait()
            encoder.may.set()
            before = await stored(kernel, building)
            status, output, complaints = await ended(await start("--batch-size", "4", "--backlog", "8", "--json"))

        assert status == 0, complaints
        answer = json.loads(output)
        assert 0 < before < ITEMS
        assert (answer["left"], 0 < answer["lacked"] <= ITEMS - before) == (0, True)
        assert await stored(kernel, building) == ITEMS

    async def test_a_space_that_is_not_there_is_refused_as_mlp_spaces_does(self, space):
        status, output, complaints = await ended(await start("--space", "99"))

        assert (status, output) == (64, "")
        assert "there is no embedding space 99: see mlp spaces list" in complaints
        assert space.id != 99


class TestStatus:
    """In this process, which saves seconds of imports for each."""

    @pytest.fixture
    async def status(self, settings):
        before = structlog.get_config()

        async def of(**options: object) -> int:
            return await asyncio.to_thread(command.run, Options(**{"entity": None, **options}))

        assert settings.database_url  # in the environment, where the program looks
        yield of
        structlog.configure(**before)

    async def test_of_one_that_cannot_be_begun_yet(self, status, capsys):
        assert await status() == 3
        assert "start the embedding service" in capsys.readouterr().err

    async def test_of_a_space_without_vectors(self, status, kernel, space, capsys):
        planned = await changes.plan(kernel.database, space.model, "2", "operator:test")

        assert await status(space=planned.id) == 3
        assert f"space {planned.id} is planned" in capsys.readouterr().err

    @pytest.mark.usefixtures("space")
    async def test_of_a_tenant_that_is_not_there(self, status, capsys):
        assert await status(tenants=("nobody",)) == 64
        assert "nobody" in capsys.readouterr().err

    async def test_of_one_that_no_node_helps(self, status, building, capsys):
        assert await status(patience=0.1) == 1
        assert f"mlp spaces show {building.id}" in capsys.readouterr().err

    async def test_of_a_setting_that_cannot_be_used(self, status, monkeypatch, capsys):
        monkeypatch.setenv("ML_EMBEDDING_THREADS", "none")

        assert await status() == 64
        assert "ML_EMBEDDING_THREADS" in capsys.readouterr().err

    async def test_of_postgres_that_does_not_answer(self, status, monkeypatch, capsys):
        monkeypatch.setenv("ML_DATABASE_URL", "postgresql://ml@127.0.0.1:1/ml?connect_timeout=1")

        assert await status() == 1
        assert capsys.readouterr().err

    async def test_of_a_space_that_is_retired_meanwhile(self, status, building, owner_database, capsys, monkeypatch):
        count = command._count

        async def count_after_the_retirement(*given):
            monkeypatch.setattr(command, "_count", count)
            await changes.retire(owner_database, building.id, "operator:test", force=True)
            return await count(*given)

        monkeypatch.setattr(command, "_count", count_after_the_retirement)

        assert await status(space=building.id) == 3
        assert f"space {building.id} is retired" in capsys.readouterr().err
