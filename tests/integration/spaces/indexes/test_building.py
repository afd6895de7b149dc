"""The index of a space is built when its vectors are there, beside those who read and write."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.spaces import changes, repository
from mlplatform.spaces.errors import SpaceNotReadyError
from mlplatform.spaces.indexes.building import APPLICATION, Built, build_index
from mlplatform.spaces.indexes.index import IndexState
from mlplatform.spaces.indexes.sizing import Limits, graph_bytes
from mlplatform.spaces.probes import probe_index
from mlplatform.spaces.space import Space
from tests.fixtures.database import DatabaseUrls
from tests.integration.embedding.waiting import eventually
from tests.integration.spaces.indexes.filling import (
    DIMENSION,
    OPERATOR,
    add_items,
    add_vectors,
    index_oids,
    make_space,
)

LIMITS = Limits(memory=2**30, workers=0)
ITEMS = 200


@pytest.fixture
async def active(database: Database) -> Space:
    """The space that is searched."""
    space = (await make_space(database, "1")).space
    assert space is not None
    return space


@pytest.fixture
async def filled(database: Database, owner: psycopg.Connection, active: Space) -> Space:
    """A space beside it, filled with more items than have their index from the start."""
    add_items(owner, ITEMS)
    add_vectors(owner, active.id)
    space = (await make_space(database, "2", live_items=ITEMS - 1)).space
    assert space is not None
    add_vectors(owner, space.id)
    return space


async def build(
    owner_database: Database, database_urls: DatabaseUrls, space: Space, *, limits: Limits = LIMITS, progress=None
) -> Built:
    return await build_index(owner_database, database_urls.owner, space, limits, actor=OPERATOR, progress=progress)


async def state(database: Database, space: Space) -> IndexState:
    index = (await changes.find_space(database, space.id)).index
    assert index is not None
    return index.state


@asynccontextmanager
async def a_writer(database: Database, space: Space) -> AsyncIterator[None]:
    """Have a transaction under way that has written a vector: a build waits for it."""
    async with database.transaction("acme") as connection:
        await connection.execute(f"UPDATE embeddings_{space.id} SET embedding = embedding WHERE entity_id = '1'")  # noqa: S608 - a number
        yield


@asynccontextmanager
async def a_build_that_waits(
    owner_database: Database, database: Database, database_urls: DatabaseUrls, space: Space, told: list[str]
) -> AsyncIterator[asyncio.Task[Built]]:
    """Begin a build behind a writer, and let that one end with the block."""

    async def is_seen() -> bool:
        index = (await changes.find_space(database, space.id)).index
        return index is not None and index.build is not None and index.build.phase.startswith("waiting")

    async with a_writer(database, space):
        task = asyncio.create_task(
            build(owner_database, database_urls, space, progress=lambda step, *_: told.append(step))
        )
        await eventually(lambda: is_seen() if not task.done() else task.result() is None)
        yield task


class TestNewSpace:
    async def test_of_few_items_has_its_index_from_the_start(self, database, owner, active):
        add_items(owner, 5)

        assert (await make_space(database, "2", live_items=5)).index.state is IndexState.VALID
        assert await state(database, active) is IndexState.VALID

    async def test_of_more_items_is_searched_when_its_index_is_built(
        self, database, owner_database, database_urls, filled
    ):
        assert await state(database, filled) is IndexState.MISSING
        assert not (await probe_index(database, filled)).passed
        with pytest.raises(SpaceNotReadyError, match="missing"):
            await changes.switch(database, filled.id, OPERATOR, accept_failures=False)

        built = await build(owner_database, database_urls, filled)

        assert (built.vectors, built.anew, built.notices) == (ITEMS, False, [])
        assert (await probe_index(database, filled)).passed
        await changes.switch(database, filled.id, OPERATOR, accept_failures=False)
        newest = [event["action"] for event in await AuditLog(owner_database).newest(limit=2)]
        assert newest == ["space.switched", "space.indexed"]

    @pytest.mark.usefixtures("active")
    async def test_of_any_number_has_it_where_nobody_would_build_it(self, database, owner):
        add_items(owner, 50)

        assert (await make_space(database, "2", live_items=None)).index.state is IndexState.VALID


class TestBuild:
    async def test_lets_others_write_and_shows_how_far_it_is(
        self, database, owner_database, database_urls, owner, filled
    ):
        told: list[str] = []
        async with a_build_that_waits(owner_database, database, database_urls, filled, told) as task:
            assert await state(database, filled) is IndexState.INVALID
            with pytest.raises(SpaceNotReadyError, match="invalid"):
                await changes.switch(database, filled.id, OPERATOR, accept_failures=False)
            with pytest.raises(SpaceNotReadyError, match="another session"):
                await build(owner_database, database_urls, filled)
            owner.execute("SET lock_timeout = '5s'")
            add_items(owner, 1, first=ITEMS + 1)
            add_vectors(owner, filled.id)
            owner.execute("DELETE FROM search_items WHERE entity_id = '2'")
            await eventually(lambda: any(line.startswith("index: waiting") for line in told))
        await task

        assert await state(database, filled) is IndexState.VALID
        async with database.transaction("acme") as connection:
            walked = await repository.search_index(connection, filled.id, str([1.0] * DIMENSION), ITEMS)
        assert len(walked) == ITEMS  # one more, and one less

    async def test_that_is_killed_is_found_and_begun_anew(self, database, owner_database, database_urls, owner, filled):
        async with a_build_that_waits(owner_database, database, database_urls, filled, []) as task:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = %s AND datname = current_database()",
                (APPLICATION,),
            )
            with pytest.raises(psycopg.OperationalError):
                await task
        broken = index_oids(owner, filled.id)
        assert await state(database, filled) is IndexState.INVALID
        assert len(broken) == 1

        built = await build(owner_database, database_urls, filled)

        assert (await state(database, filled), built.anew) == (IndexState.VALID, False)
        assert len(index_oids(owner, filled.id)) == 1
        assert index_oids(owner, filled.id) != broken

    async def test_that_is_broken_off_leaves_nothing(self, database, owner_database, database_urls, owner, filled):
        async with a_build_that_waits(owner_database, database, database_urls, filled, []) as task:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await state(database, filled) is IndexState.MISSING
        assert index_oids(owner, filled.id) == []

    async def test_anew_leaves_the_former_index_searched_until_it_is_done(
        self, database, owner_database, database_urls, owner, filled
    ):
        await build(owner_database, database_urls, filled)
        (former,) = index_oids(owner, filled.id)

        async with a_build_that_waits(owner_database, database, database_urls, filled, []) as task:
            assert await state(database, filled) is IndexState.VALID
            assert len(index_oids(owner, filled.id)) == 2
        built = await task

        (fresh,) = index_oids(owner, filled.id)
        assert (built.anew, fresh != former, await state(database, filled)) == (True, True, IndexState.VALID)


class TestMemory:
    async def test_is_what_the_vectors_need(self, database, owner_database, database_urls, owner, active):
        count = 4000
        add_items(owner, count)
        add_vectors(owner, active.id)
        needed = graph_bytes(count, DIMENSION)

        ample = await build(owner_database, database_urls, active)
        short = await build(owner_database, database_urls, active, limits=Limits(memory=needed // 2, workers=0))

        assert (needed < ample.memory < 2**24, ample.notices) == (True, [])
        assert (short.memory, short.needed) == (needed // 2, needed)
        assert "no longer fits into maintenance_work_mem" in short.notices[0]
        assert await state(database, active) is IndexState.VALID
