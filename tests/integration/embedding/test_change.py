"""The change of the model of an index, step by step, with small models of their own weights."""

import asyncio

import pytest

from mlplatform.audit import AuditLog
from mlplatform.spaces import changes, repository
from mlplatform.spaces.errors import SpaceNotReadyError
from mlplatform.spaces.space import SpaceState
from services.embedding.settings import EmbeddingSettings
from tests.integration.embedding.changing import (
    OPERATOR,
    complete,
    embedded,
    index,
    new_space,
    ready,
)
from tests.integration.embedding.rows import vectors
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
