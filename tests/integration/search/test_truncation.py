"""Texts that are longer than the model reads: their items say so."""

import pytest

from mlplatform.events import CloudEvent, FillRequest, ItemRef, running
from mlplatform.spaces import changes, repository
from services.embedding import metrics
from services.embedding.batcher import Batcher
from services.embedding.filling.requests import RequestFiller
from services.embedding.served_model import Target
from services.embedding.spaces import Space
from tests.integration.embedding.rows import digest
from tests.integration.search.api import SearchApi, item
from tests.unit.embedding.encoders import WordEncoder

LONG = "apple " * (WordEncoder.max_tokens + 1)
OPERATOR = "operator:test"


class Reader(WordEncoder):
    """Reads longer texts than the other."""

    max_tokens = 10 * WordEncoder.max_tokens


async def is_truncated(api: SearchApi, entity_id: str) -> bool:
    """Ask for one item, and for the list of items, which say the same."""
    listed = (await api._client.get("/api/v1/index", headers=api.headers)).json()["items"]
    (of_list,) = [each["truncated"] for each in listed if each["entity_id"] == entity_id]
    answer = await api.get(entity_id)
    assert answer.json()["truncated"] == of_list, answer.text
    return bool(of_list)


async def write(api: SearchApi, *items: dict[str, object], **more: object) -> tuple[int, int]:
    """Return how many items are embedded, and how many of these are cut."""
    answer = (await api.index(*items, **more)).json()
    return answer["embedded"], answer["truncated"]


class TestItems:
    @pytest.mark.usefixtures("node")
    async def test_one_whose_text_was_cut_says_so_and_the_others_do_not(self, api):
        before = metrics.TRUNCATED_ITEMS._value.get()

        assert await write(api, item("long", LONG), item("short", "apple"), wait=True, wait_seconds=60) == (2, 1)

        assert (await is_truncated(api, "long"), await is_truncated(api, "short")) == (True, False)
        assert metrics.TRUNCATED_ITEMS._value.get() == before + 1

    @pytest.mark.usefixtures("node")
    async def test_one_that_is_sent_again_unchanged_is_told_again(self, api):
        await write(api, item("long", LONG), wait=True, wait_seconds=60)

        assert await write(api, item("long", LONG), item("new", "apple")) == (1, 1)
        assert await write(api, item("long", LONG), item("other", LONG), wait=True, wait_seconds=60) == (2, 2)

    @pytest.mark.usefixtures("node")
    async def test_one_that_is_shortened_says_so_no_more(self, api):
        await write(api, item("1", LONG), wait=True, wait_seconds=60)

        assert await write(api, item("1", "apple"), wait=True, wait_seconds=60) == (1, 0)

        assert not await is_truncated(api, "1")

    @pytest.mark.usefixtures("space")
    async def test_one_that_waits_is_not_known_to_be_cut(self, api):
        assert await write(api, item("1", LONG)) == (0, 0)

        assert not await is_truncated(api, "1")

    async def test_nothing_is_known_before_there_is_a_space(self, api):
        assert await write(api, item("1", LONG)) == (0, 0)

        assert not await is_truncated(api, "1")


class TestChange:
    @pytest.mark.usefixtures("node")
    async def test_a_model_that_reads_more_cuts_no_text_until_the_roll_back(self, api, kernel, space):
        await write(api, item("1", LONG), wait=True, wait_seconds=60)
        record = await changes.plan(kernel.database, space.model, "2", OPERATOR)
        async with kernel.database.transaction() as connection:
            await repository.define_space(connection, record.id, "b" * 64, space.dimension)
        longer = Space(record.id, space.model, "2", "b" * 64, space.dimension)
        wanted = FillRequest(
            tenant="acme",
            space_id=longer.id,
            items=[ItemRef(entity_type="doc", entity_id="1", content_sha256=digest(LONG))],
        )
        batcher = Batcher(Reader(), max_queued_texts=100)
        async with running(batcher, "encoder"):
            filler = RequestFiller(kernel.database, lambda: [Target(longer, batcher)])
            await filler.handle([CloudEvent.of(wanted, source="test")])
        assert await is_truncated(api, "1")

        await changes.switch(kernel.database, longer.id, OPERATOR, accept_failures=False)
        assert not await is_truncated(api, "1")

        await changes.switch(kernel.database, space.id, OPERATOR, accept_failures=False)
        assert await is_truncated(api, "1")
