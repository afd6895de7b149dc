"""The space that was searched is retired while a query or another reader is on its way to the vectors."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg
import pytest
from prometheus_client import REGISTRY

from mlplatform.events import running
from mlplatform.spaces import changes, repository
from mlplatform.spaces.space import SpaceState
from services.search import searcher, truncation
from services.search.query import vector_repository
from services.search.query.probe import ProbeInterruptedError, RecallProbe
from services.search.query.state import Space, State
from tests.integration.embedding.changing import OPERATOR, items_are_awaited
from tests.integration.embedding.waiting import eventually
from tests.integration.search.api import SearchApi, item

ITEMS = 50
"""More than are candidates, so that a page goes beyond them."""

Change = Callable[[], Awaitable[None]]


@pytest.fixture
async def filled(api: SearchApi, node) -> SearchApi:
    await api.index_and_wait(*(item(f"{number:02}", f"ripe fruit {number}") for number in range(ITEMS)))
    return api


@pytest.fixture
async def successor(kernel, space, filled) -> int:
    """A complete space beside the searched one, of the same weights under another name."""
    record = await changes.plan(kernel.database, "another-embedder", "1", OPERATOR)
    async with kernel.database.transaction() as connection:
        await repository.define_space(connection, record.id, space.digest, space.dimension)
    async with kernel.database.transaction("acme") as connection:
        copy = f"INSERT INTO embeddings_{record.id} SELECT * FROM embeddings_{space.id}"  # noqa: S608 - numbers
        await connection.execute(copy)
    return record.id


@pytest.fixture
def change(kernel, owner_database, space, successor) -> Change:
    async def switch_and_retire() -> None:
        await changes.switch(kernel.database, successor, OPERATOR, accept_failures=False)
        await changes.retire(owner_database, space.id, OPERATOR, force=True)

    return switch_and_retire


class TestQueries:
    @pytest.fixture(autouse=True)
    def late(self, monkeypatch, space, change) -> None:
        """Has the space retired after a query has read that it is searched, and before its vectors are read."""
        read = searcher._read_state

        async def read_before_the_retirement(reading):
            state = await read(reading)
            if state.space.id == space.id:
                await reading.close()  # as it is when the vector of the query takes long
                await change()
            return state

        monkeypatch.setattr(searcher, "_read_state", read_before_the_retirement)

    @pytest.mark.parametrize("limit", [5, ITEMS], ids=["candidates", "beyond"])
    @pytest.mark.parametrize("mode", ["hybrid", "vector"])
    async def test_one_goes_on_in_the_space_of_the_moment(self, filled, successor, mode, limit):
        answer = await filled.search("ripe fruit", mode=mode, limit=limit, explain=True)

        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["degraded"], found["explain"]["space"], len(found["results"])) == ([], successor, limit)


class TestItems:
    @pytest.fixture
    async def retirement(self, monkeypatch, owner_database, change):
        """Has the space retired, or its retirement wait, once a reader of items knows which space is searched."""
        find = truncation.find_active_space
        tasks: list[asyncio.Task[None]] = []

        async def find_before_the_retirement(connection):
            found = await find(connection)
            if not tasks:
                tasks.append(asyncio.create_task(change()))

                async def is_under_way() -> bool:
                    return tasks[0].done() or await items_are_awaited(owner_database)

                await eventually(is_under_way)
            return found

        monkeypatch.setattr(truncation, "find_active_space", find_before_the_retirement)
        yield
        await asyncio.gather(*tasks)

    @pytest.mark.usefixtures("retirement")
    async def test_one_is_read(self, filled):
        answer = await filled.get("00")

        assert (answer.status_code, answer.json()["truncated"]) == (200, False)

    @pytest.mark.usefixtures("retirement")
    async def test_they_are_listed(self, filled):
        answer = await filled._client.get("/api/v1/index", headers=filled.headers)

        assert (answer.status_code, len(answer.json()["items"])) == (200, ITEMS)

    @pytest.mark.usefixtures("retirement")
    async def test_the_retirement_is_done_once_they_are_read(self, filled, kernel, space):
        await filled.get("00")

        async def is_retired() -> bool:
            return (await changes.find_space(kernel.database, space.id)).state is SpaceState.RETIRED

        await eventually(is_retired)


class TestProbe:
    @pytest.fixture
    def probe(self, kernel) -> RecallProbe:
        return RecallProbe(kernel.database, interval=timedelta(0), exact_rows=10, scan_tuples=20_000)

    @pytest.fixture
    def late(self, monkeypatch, change) -> None:
        """Has the space retired when the first of its vectors is to be compared."""
        search, changed = vector_repository.search_exact, []

        async def search_after_the_retirement(*given, **more):
            if not changed:
                changed.append(await change())
            return await search(*given, **more)

        monkeypatch.setattr(vector_repository, "search_exact", search_after_the_retirement)

    @pytest.mark.usefixtures("late")
    async def test_one_ends_and_the_next_one_is_of_the_space_of_the_moment(self, probe, space):
        with pytest.raises(ProbeInterruptedError, match=f"space {space.id} "):
            await probe.probe()
        assert await probe.probe() > 0

    @pytest.mark.usefixtures("late")
    async def test_one_that_is_made_at_intervals_is_counted_and_the_next_one_measures(self, kernel):
        def outcomes(outcome: str) -> float:
            return REGISTRY.get_sample_value("ml_search_probes_total", {"outcome": outcome}) or 0.0

        before = {outcome: outcomes(outcome) for outcome in ("interrupted", "measured", "failed")}
        soon = RecallProbe(kernel.database, interval=timedelta(milliseconds=10), exact_rows=10, scan_tuples=20_000)
        async with running(soon, "recall probe"):
            await eventually(lambda: outcomes("measured") > before["measured"])

        assert (outcomes("interrupted"), outcomes("failed")) == (before["interrupted"] + 1, before["failed"])

    @pytest.mark.usefixtures("filled")
    async def test_a_table_that_lacks_without_a_retirement_is_told(self, probe, space, owner):
        owner.execute(f"ALTER TABLE embeddings_{space.id} RENAME TO elsewhere")

        with pytest.raises(psycopg.errors.UndefinedTable):
            await probe.probe()


class TestGoOn:
    @pytest.fixture
    def embedder(self, app):
        return app.state.searcher._ranker._embedder

    @staticmethod
    def state_of(space_id: int) -> State:
        return State(Space(space_id, "text-embedder", "9", "f" * 64, 7, 0), generation=1, pending=False)

    @pytest.mark.parametrize("kind", [psycopg.errors.UndefinedTable, psycopg.errors.DeadlockDetected])
    async def test_what_ends_a_reader_of_a_space_that_is_gone_has_it_read_the_space_of_the_moment(
        self, embedder, space, kind
    ):
        async def read(state: State) -> int:
            if state.space.id == 99:
                raise kind
            return state.space.id

        assert await embedder.go_on("acme", self.state_of(99), read) == space.id

    async def test_what_fails_in_the_space_of_the_moment_is_told(self, embedder, space):
        tried: list[int] = []

        async def read(state: State) -> None:
            tried.append(state.space.id)
            raise psycopg.errors.UndefinedTable

        with pytest.raises(psycopg.errors.UndefinedTable):
            await embedder.go_on("acme", self.state_of(space.id), read)
        assert tried == [space.id]
