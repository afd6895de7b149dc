"""The model of an index is changed, and changed back, while it is searched and written."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import httpx

from mlplatform.auth import Principal, Role
from mlplatform.spaces import changes
from mlplatform.spaces.space import SpaceState
from services.search.query.state import Space, State
from tests.integration.embedding.waiting import eventually
from tests.integration.spaces.conftest import Platform

OPERATOR = "operator:test"
READERS = 3


@dataclass
class Load:
    """What callers saw.

    Attributes:
        wrong: Each answer that is not as it should be.
        versions: How many queries were answered by each version of the model.
        written: Ids of items that were acknowledged and embedded.
    """

    wrong: list[str] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    written: list[str] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, client: httpx.AsyncClient) -> None:
        """Index items and wait for each."""
        while not self.stopping.is_set():
            entity_id = f"item{len(self.written)}"
            item = {"entity_type": "doc", "entity_id": entity_id, "text": f"words of {entity_id}"}
            answer = await client.post("/api/v1/index", json={"items": [item], "wait": True, "wait_seconds": 60})
            if answer.status_code != 202 or answer.json()["embedded"] != 1:
                self.wrong.append(f"index: {answer.status_code} {answer.text}")
            self.written.append(entity_id)

    async def read(self, client: httpx.AsyncClient, mode: str) -> None:
        """Look for items that are there; each must be found, first of all by its vector."""
        number = 0
        while not self.stopping.is_set():
            await asyncio.sleep(0)
            if not self.written:
                continue
            number = (number + 1) % len(self.written)
            wanted = self.written[number]
            answer = await client.post("/api/v1/search", json={"query": f"words of {wanted}", "mode": mode})
            if answer.status_code != 200:
                self.wrong.append(f"{mode}: {answer.status_code} {answer.text}")
                continue
            body = answer.json()
            if body["degraded"] or not body["results"] or body["results"][0]["entity_id"] != wanted:
                self.wrong.append(f"{mode}: {wanted} {body['degraded']} {body.get('reason')} {body['results'][:2]}")
            self.versions[body["version"]] += 1


async def wait_for(platform: Platform, load: Load, version: str, more: int) -> None:
    """Wait until so many more queries were answered by a version."""
    goal = load.versions[version] + more
    await eventually(lambda: load.versions[version] >= goal or bool(load.wrong))


class TestChangeOfModel:
    async def test_costs_no_request_an_error_forth_back_and_forth(self, platform: Platform, owner_database) -> None:
        load = Load()
        tasks = [asyncio.create_task(load.write(platform.search))]
        tasks += [
            asyncio.create_task(load.read(platform.search, mode))
            for mode, _ in zip(("vector", "hybrid", "vector"), range(READERS), strict=True)
        ]
        try:
            former = platform.node.space
            await wait_for(platform, load, "1", 30)

            platform.embedders.promote("2")
            space_id = await self.complete(platform)
            assert load.versions["2"] == 0
            for target, version in ((space_id, "2"), (former.id, "1"), (space_id, "2")):
                await self.switch(platform, target)
                await wait_for(platform, load, version, 30)
                await eventually(lambda target=target: platform.node.space.id == target)

            await changes.retire(owner_database, former.id, OPERATOR, force=True)
            await eventually(lambda: len(platform.node.models) == 1)
            await wait_for(platform, load, "2", 30)
        finally:
            load.stopping.set()
            await asyncio.gather(*tasks)

        assert load.wrong == []
        assert set(load.versions) == {"1", "2"}
        assert len(load.written) > 3

    async def test_a_query_that_is_older_than_the_weights_is_answered_from_the_space_of_the_moment(
        self, platform: Platform
    ) -> None:
        gone = State(Space(99, "text-embedder", "9", "f" * 64, 7, 0), generation=1, pending=False)
        principal = Principal("tester", "acme", frozenset({Role.USER}), "anonymous")

        vector, space = await platform.embedder.go_on(
            principal.tenant, gone, lambda state: platform.embedder.embed(principal, "words", state)
        )

        assert (space.id, vector.digest) == (platform.node.space.id, platform.node.space.digest)

    async def complete(self, platform: Platform) -> int:
        async def done() -> bool:
            return any(
                record.state is SpaceState.BUILDING and record.fill.complete_at is not None
                for record in await changes.list_spaces(platform.database)
            )

        await eventually(done)
        return max(record.id for record in await changes.list_spaces(platform.database))

    async def switch(self, platform: Platform, space_id: int) -> None:
        await changes.switch(platform.database, space_id, OPERATOR, accept_failures=False)
