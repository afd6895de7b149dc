"""The switch to another space, the retirement of one, and who may."""

import asyncio
from datetime import timedelta
from functools import partial

import psycopg
import pytest

from mlplatform.spaces import changes, repository
from mlplatform.spaces.errors import SpaceNotReadyError
from mlplatform.spaces.probes import probe_nodes
from mlplatform.spaces.space import SpaceState
from services.embedding.consumer import Indexer
from services.embedding.served_model import Target
from tests.integration.embedding.changing import (
    OPERATOR,
    items_are_awaited,
)
from tests.integration.embedding.rows import request, states, vectors, write
from tests.integration.embedding.waiting import eventually


class TestSwitch:
    async def test_is_refused_while_items_lack_their_vectors(self, kernel, indexer, building, space):
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])

        with pytest.raises(SpaceNotReadyError, match="lacks 1 items"):
            await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=False)
        assert (await changes.find_space(kernel.database, space.id)).state is SpaceState.ACTIVE

    async def test_counts_a_vector_of_an_older_text_as_lacking(self, kernel, indexer, building):
        both = Indexer(
            kernel.database, kernel.relay, indexer.batcher, indexer.space, [Target(building, indexer.batcher)]
        )
        await both.handle([request("acme", await write(kernel.database, "acme", "1", "old"))])
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "new"))])

        with pytest.raises(SpaceNotReadyError, match="lacks 1 items"):
            await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=False)

    async def test_a_node_that_has_not_seen_it_yet_embeds_for_the_new_space(self, kernel, indexer, building, space):
        both = Indexer(
            kernel.database, kernel.relay, indexer.batcher, indexer.space, [Target(building, indexer.batcher)]
        )
        await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=False)

        await both.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])

        assert await states(kernel.database, "acme") == {"1": ("embedded", None)}
        assert set(await vectors(kernel.database, "acme", building.id)) == {"1"}
        assert set(await vectors(kernel.database, "acme", space.id)) == {"1"}

    async def test_a_node_without_the_new_model_leaves_items_to_others(self, kernel, indexer, building):
        await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=False)

        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])

        assert await states(kernel.database, "acme") == {"1": ("pending", None)}

    async def test_a_space_that_is_gone_or_searched_cannot_be_switched_to(
        self, kernel, owner_database, building, space
    ):
        await changes.retire(owner_database, building.id, OPERATOR, force=False)

        for space_id in (building.id, space.id, 999):
            with pytest.raises(SpaceNotReadyError):
                await changes.switch(kernel.database, space_id, OPERATOR, accept_failures=False)

    async def test_the_active_space_cannot_be_retired(self, owner_database, space):
        with pytest.raises(SpaceNotReadyError, match="active"):
            await changes.retire(owner_database, space.id, OPERATOR, force=True)

    async def test_needs_the_model_in_every_running_node(self, kernel, building):

        assert not (await probe_nodes(kernel.database, building)).passed
        async with kernel.database.transaction() as connection:
            await repository.save_node(connection, "one", [building.id], timedelta(hours=1))
        assert (await probe_nodes(kernel.database, building)).passed
        async with kernel.database.transaction() as connection:
            await repository.save_node(connection, "two", [], timedelta(hours=1))
        probe = await probe_nodes(kernel.database, building)
        assert (probe.passed, "two" in probe.finding) == (False, True)


class TestRetire:
    async def test_waits_for_who_reads_items_and_then_their_vectors(self, kernel, owner_database, building):
        async with kernel.database.transaction("acme") as reader:
            await reader.execute("SELECT count(*) FROM search_items")
            retiring = asyncio.create_task(changes.retire(owner_database, building.id, OPERATOR, force=True))
            await eventually(partial(items_are_awaited, owner_database))
            await reader.execute(f"SELECT count(*) FROM embeddings_{building.id}")  # noqa: S608 - a number
        await retiring

        assert (await changes.find_space(kernel.database, building.id)).state is SpaceState.RETIRED


class TestRights:
    async def test_the_service_role_cannot_retire(self, kernel, building):

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await changes.retire(kernel.database, building.id, OPERATOR, force=True)

    @pytest.mark.usefixtures("space")
    async def test_dimensions_that_no_index_takes_are_refused(self, kernel):

        record = await changes.plan(kernel.database, "text-embedder", "2", OPERATOR)
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="4000"):
            async with kernel.database.transaction() as connection:
                await repository.define_space(connection, record.id, "b" * 64, 4001)

    async def test_a_tenant_sees_its_own_failures_and_vectors_only(self, kernel, indexer, building):
        both = Indexer(
            kernel.database, kernel.relay, indexer.batcher, indexer.space, [Target(building, indexer.batcher)]
        )
        await both.handle([request("acme", await write(kernel.database, "acme", "1", "some poison"))])
        await both.handle([request("acme", await write(kernel.database, "acme", "2", "text"))])

        counts = {}
        for tenant in ("acme", "zeta"):
            async with kernel.database.transaction(tenant) as connection:
                for table in ("embedding_failures", f"embeddings_{building.id}"):
                    cursor = await connection.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - ours
                    counts[tenant, table] = (await cursor.fetchone())["count"]

        assert list(counts.values()) == [1, 1, 0, 0]
