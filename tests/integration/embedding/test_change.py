"""The change of the model of an index, step by step, with small models of their own weights."""

import asyncio
from datetime import timedelta
from functools import partial

import psycopg
import pytest

from mlplatform.audit import AuditLog
from mlplatform.spaces import changes, repository
from mlplatform.spaces.errors import SpaceNotReadyError
from mlplatform.spaces.probes import probe_coverage, probe_nodes
from mlplatform.spaces.space import SpaceState
from services.embedding.consumer import Indexer
from services.embedding.filling import filler as filling
from services.embedding.filling.filler import Filler, FillLostError
from services.embedding.indexing.pending import PendingItem
from services.embedding.served_model import Target
from services.embedding.settings import EmbeddingSettings
from services.embedding.spaces import Space
from tests.integration.embedding.changing import (
    OPERATOR,
    complete,
    embedded,
    index,
    items_are_awaited,
    new_space,
    ready,
)
from tests.integration.embedding.rows import request, states, vectors, write
from tests.integration.embedding.tiny import serving
from tests.integration.embedding.waiting import eventually


class TestPromotion:
    async def test_fills_a_space_of_other_dimensions_that_is_switched_to_rolled_back_and_retired(
        self, quick, kernel, owner_database, embedders
    ):
        async with serving(quick) as service:
            await ready(service)
            former = service.node.space
            await index(kernel, "acme", "1", "2", "3")
            await index(kernel, "zeta", "1")
            await embedded(kernel.database, "acme", 3)
            await embedded(kernel.database, "zeta", 1)

            embedders.promote("2")
            space_id = await new_space(kernel.database)
            await complete(kernel.database, space_id)
            assert service.node.space == former  # nothing is searched elsewhere yet
            assert len(await vectors(kernel.database, "acme", space_id)) == 3
            assert len(await vectors(kernel.database, "zeta", space_id)) == 1

            await index(kernel, "acme", "4")
            await embedded(kernel.database, "acme", 4)
            assert "4" in await vectors(kernel.database, "acme", space_id)  # in one transaction with the active one

            done = await changes.switch(kernel.database, space_id, OPERATOR, accept_failures=False)
            assert (done.former, done.lost) == (former.id, 0)
            await eventually(lambda: service.node.space.id == space_id)
            assert service.node.model.encoder.dimension == 48

            await index(kernel, "acme", "5")
            await embedded(kernel.database, "acme", 5)
            assert "5" in await vectors(kernel.database, "acme", former.id)

            assert (await changes.former_space(kernel.database)).id == former.id
            await changes.switch(kernel.database, former.id, OPERATOR, accept_failures=True)
            await eventually(lambda: service.node.space.id == former.id)
            await asyncio.sleep(0.5)  # the promotion was acted upon, and is not again
            assert service.node.space.id == former.id

            with pytest.raises(SpaceNotReadyError, match="--force"):
                await changes.retire(owner_database, space_id, OPERATOR, force=False)
            await changes.retire(owner_database, space_id, OPERATOR, force=True)
            await eventually(lambda: len(service.node.models) == 1)
            await index(kernel, "acme", "6")
            await embedded(kernel.database, "acme", 6)
            actions = [event["action"] for event in await AuditLog(owner_database).newest(limit=10)]
            assert actions == ["space.retired", "space.switched", "space.switched", "space.planned"]

    async def test_during_the_filling_of_another_takes_its_place(self, quick, kernel, embedders):
        third = embedders.add(3)
        async with serving(quick) as service:
            await ready(service)
            await index(kernel, "acme", "1")
            await embedded(kernel.database, "acme", 1)
            embedders.promote("2")
            second = await new_space(kernel.database)

            embedders.promote(third)
            await eventually(lambda: _is(kernel.database, second, SpaceState.RETIRED))
            fresh = await new_space(kernel.database)
            await complete(kernel.database, fresh)

            assert (await changes.find_space(kernel.database, fresh)).version == third
            assert "came before" in (await changes.find_space(kernel.database, second)).note
            assert len(service.node.models) == 2

    async def test_of_the_same_weights_needs_no_space(self, quick, kernel, embedders):
        again = embedders.add(1)
        async with serving(quick) as service:
            await ready(service)
            embedders.promote(again)

            async def is_named() -> bool:
                return [record.version for record in await changes.list_spaces(kernel.database)] == [again]

            await eventually(is_named)
            assert (await changes.list_spaces(kernel.database))[0].state is SpaceState.ACTIVE

    @pytest.mark.usefixtures("quick")
    async def test_is_followed_by_itself_where_that_is_set(self, kernel, embedders, monkeypatch):
        monkeypatch.setenv("ML_EMBEDDING_SPACE_SWITCH", "auto")
        async with serving(EmbeddingSettings()) as service:
            await ready(service)
            former = service.node.space
            await index(kernel, "acme", "1")
            await embedded(kernel.database, "acme", 1)
            embedders.promote("2")
            await eventually(lambda: service.node.space.id != former.id)

            await changes.switch(kernel.database, former.id, OPERATOR, accept_failures=True)
            await eventually(lambda: service.node.space.id == former.id)
            await asyncio.sleep(0.5)
            assert service.node.space.id == former.id  # what the operator chose stays

    @pytest.mark.usefixtures("quick")
    async def test_of_many_items_makes_a_space_whose_index_is_built_later(self, kernel, embedders, monkeypatch):
        monkeypatch.setenv("ML_EMBEDDING_INDEX_LIVE_ITEMS", "1")
        async with serving(EmbeddingSettings()) as service:
            await ready(service)
            await index(kernel, "acme", "1", "2")
            await embedded(kernel.database, "acme", 2)
            embedders.promote("2")
            space_id = await new_space(kernel.database)
            await complete(kernel.database, space_id)

            async def is_measured() -> bool:
                lines = (await service.client.get("/metrics")).text.splitlines()
                name = "ml_embedding_space_index_valid"
                wanted = {f'{name}{{space="1"}} 1.0', f'{name}{{space="{space_id}"}} 0.0'}
                return wanted <= set(lines)

            await eventually(is_measured)
            answer = (await service.client.get("/api/v1/spaces")).json()

        assert [space["index"]["state"] for space in answer["spaces"]] == ["valid", "missing"]

    @pytest.mark.usefixtures("quick")
    async def test_of_a_model_without_room_says_so_and_the_active_one_serves(self, kernel, embedders, monkeypatch):
        monkeypatch.setenv("ML_EMBEDDING_MODEL_MEMORY", "1MB")
        async with serving(EmbeddingSettings()) as service:
            await ready(service)
            embedders.promote("2")

            async def says_so() -> bool:
                records = await changes.list_spaces(kernel.database)
                return any(
                    record.fill is not None and "MODEL_MEMORY" in (record.fill.problem or "") for record in records
                )

            await eventually(says_so)
            assert (await service.client.post("/api/v1/embed", json={"texts": ["a"]})).status_code == 200
            assert len(service.node.models) == 1


async def _is(database, space_id: int, state: SpaceState) -> bool:
    return (await changes.find_space(database, space_id)).state is state


class TestReadiness:
    @pytest.mark.usefixtures("embedders")
    async def test_a_node_without_the_model_of_the_space_that_is_searched_is_not_ready(self, quick, kernel):
        async with serving(quick) as service:
            await ready(service)
            former = service.node.space
            record = await changes.plan(kernel.database, former.model, "99", OPERATOR)  # no such version
            async with kernel.database.transaction() as connection:
                await repository.define_space(connection, record.id, "b" * 64, 8)
            await changes.switch(kernel.database, record.id, OPERATOR, accept_failures=False)

            async def says_so() -> bool:
                answer = await service.client.get("/health/ready")
                return answer.status_code == 503 and f"space {record.id} is searched" in answer.text

            await eventually(says_so)
            await changes.switch(kernel.database, former.id, OPERATOR, accept_failures=True)
            await ready(service)


class TestEmbed:
    async def test_answers_with_the_weights_that_are_asked_for(self, quick, kernel, embedders):
        async with serving(quick) as service:
            await ready(service)
            embedders.promote("2")
            await new_space(kernel.database)
            await eventually(lambda: len(service.node.models) == 2)
            first, second = (await service.client.get("/api/v1/models")).json()["models"]

            answers = [
                (await service.client.post("/api/v1/embed", json={"texts": ["a"], "digest": model["digest"]})).json()
                for model in (first, second)
            ]
            unknown = await service.client.post("/api/v1/embed", json={"texts": ["a"], "digest": "f" * 64})

        assert [answer["digest"] for answer in answers] == [first["digest"], second["digest"]]
        assert [len(answer["embeddings"][0]) for answer in answers] == [32, 48]
        assert (unknown.status_code, unknown.json()["code"]) == (404, "weights_not_served")


@pytest.fixture
async def building(kernel, space) -> Space:
    """A space beside the active one, of a model that stands for another."""
    record = await changes.plan(kernel.database, "text-embedder", "2", OPERATOR)
    async with kernel.database.transaction() as connection:
        await repository.define_space(connection, record.id, "b" * 64, space.dimension)
    found = (await changes.find_space(kernel.database, record.id)).space
    assert found is not None
    return found


class TestFill:
    def filler(self, kernel, target: Target, node: str = "one", **settings) -> Filler:

        options = {"rate": 0, "recheck": timedelta(0)} | settings
        return Filler(kernel.database, lambda: [target], node, **options)

    async def test_goes_on_where_a_node_that_died_was(self, kernel, indexer, building, monkeypatch):

        monkeypatch.setattr(filling, "PAGE", 2)
        for tenant in ("acme", "zeta"):
            await indexer.handle(
                [request(tenant, *[await write(kernel.database, tenant, name, f"text {name}") for name in "abc"])]
            )
        target = Target(building, indexer.batcher)
        dead = self.filler(kernel, target, "dead", lease=timedelta(0))
        assert await dead.step(target)
        before = await changes.find_space(kernel.database, building.id)

        other = self.filler(kernel, target, "other")
        encoded = len(indexer.batcher._encoder.forwarded)
        while (await changes.find_space(kernel.database, building.id)).fill.complete_at is None:
            assert await other.step(target)

        assert (before.fill.seen, before.fill.stored) == (2, 2)
        assert (await changes.find_space(kernel.database, building.id)).fill.stored == 6
        assert sum(indexer.batcher._encoder.forwarded[encoded:]) == 4  # nothing is embedded twice
        for tenant in ("acme", "zeta"):
            assert set(await vectors(kernel.database, tenant, building.id)) == {"a", "b", "c"}

    async def test_of_one_space_is_one_nodes_at_a_time(self, kernel, indexer, building):
        target = Target(building, indexer.batcher)
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])
        assert await self.filler(kernel, target, "one").step(target)

        assert not await self.filler(kernel, target, "two").step(target)

    async def test_a_node_that_lost_it_stores_no_more(self, kernel, indexer, building):

        target = Target(building, indexer.batcher)
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])
        slow = self.filler(kernel, target, "slow", lease=timedelta(0))
        async with kernel.database.transaction() as connection:
            await connection.execute("UPDATE embedding_fills SET holder = 'other', held_until = now() + '1 hour'")

        assert not await slow.step(target)
        with pytest.raises(FillLostError):
            await slow._fill_slice(target, "acme", await _items(kernel, "acme"))
        assert await vectors(kernel.database, "acme", building.id) == {}

    async def test_of_a_space_that_is_retired_meanwhile_is_lost(self, kernel, owner_database, indexer, building):
        target = Target(building, indexer.batcher)
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])
        await changes.retire(owner_database, building.id, OPERATOR, force=False)

        with pytest.raises(FillLostError):
            await self.filler(kernel, target)._fill_page(target, "acme", filling.START)

    async def test_of_a_complete_space_begins_anew_when_something_is_found_lacking(self, kernel, indexer, building):
        target = Target(building, indexer.batcher)
        filler = self.filler(kernel, target, recheck=timedelta(hours=1))
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])
        while await filler.step(target):
            pass
        await indexer.handle([request("acme", await write(kernel.database, "acme", "2", "text"))])
        assert not await filler.step(target)  # a node without the new model: nobody knows yet

        assert not (await probe_coverage(kernel.database, building, accept_failures=False)).passed
        while await filler.step(target):
            pass

        assert set(await vectors(kernel.database, "acme", building.id)) == {"1", "2"}
        await indexer.handle([request("acme", await write(kernel.database, "acme", "3", "text"))])
        with pytest.raises(SpaceNotReadyError, match="lacks 1 items"):
            await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=False)
        assert await filler.step(target)

    async def test_a_text_that_only_the_new_model_cannot_take_forbids_the_switch_until_it_is_accepted(
        self, kernel, indexer, building
    ):
        await indexer.handle([request("acme", await write(kernel.database, "acme", "bad", "some text"))])
        async with kernel.database.transaction("acme") as connection:
            await connection.execute(
                "INSERT INTO embedding_failures SELECT %s, tenant_id, entity_type, entity_id, content_sha256, 'no' "
                "FROM search_items",
                (building.id,),
            )

        probe = await probe_coverage(kernel.database, building, accept_failures=False)
        assert not probe.passed
        with pytest.raises(SpaceNotReadyError, match="accept-failures"):
            await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=False)
        done = await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=True)
        assert (done.lost, await states(kernel.database, "acme")) == (1, {"bad": ("failed", "no")})

        await changes.switch(kernel.database, done.former, OPERATOR, accept_failures=True)
        assert await states(kernel.database, "acme") == {"bad": ("embedded", None)}


async def _items(kernel, tenant: str):

    async with kernel.database.transaction(tenant) as connection:
        cursor = await connection.execute(
            "SELECT entity_type, entity_id, text, content_sha256, generation FROM search_items"
        )
        return [PendingItem(tenant, **row) for row in await cursor.fetchall()]


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
