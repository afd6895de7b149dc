from mlplatform.events import IndexUpdated
from services.embedding import consumer
from services.embedding.indexing.encoding import encode
from services.embedding.indexing.pending import named_by, read_pending
from tests.integration.embedding.rows import bulk_request, digest, outbox, request, states, vectors, write
from tests.unit.embedding.encoders import POISON


class TestHandle:
    async def test_items_get_a_vector_and_an_event(self, kernel, indexer, space):
        items = [await write(kernel.database, "acme", str(number), f"text {number}") for number in range(3)]

        await indexer.handle([request("acme", *items)])

        assert await states(kernel.database, "acme") == {str(number): ("embedded", None) for number in range(3)}
        (event,) = await outbox(kernel.database, IndexUpdated.event_type)
        update = IndexUpdated.from_event(event)
        assert (update.tenant, update.space_id, update.deleted) == ("acme", space.id, False)
        assert sorted(item.entity_id for item in update.items) == ["0", "1", "2"]

    async def test_items_of_several_tenants_and_requests_are_encoded_together(self, kernel, indexer):
        events = [
            request(tenant, await write(kernel.database, tenant, "1", f"text of {tenant}"))
            for tenant in ("acme", "zeta", "omni")
        ]

        await indexer.handle(events)

        assert indexer.batcher._encoder.forwarded == [3]
        for tenant in ("acme", "zeta", "omni"):
            assert await states(kernel.database, tenant) == {"1": ("embedded", None)}

    async def test_an_event_delivered_twice_does_nothing_the_second_time(self, kernel, indexer):
        event = request("acme", await write(kernel.database, "acme", "1", "text"))

        await indexer.handle([event])
        await indexer.handle([event, event])

        assert len(await outbox(kernel.database, IndexUpdated.event_type)) == 1

    async def test_an_old_event_embeds_the_newest_text(self, kernel, indexer, space):
        old = request("acme", await write(kernel.database, "acme", "1", "old"))
        await write(kernel.database, "acme", "1", "new")

        await indexer.handle([old])

        assert await vectors(kernel.database, "acme", space.id) == {"1": digest("new")}

    async def test_a_vector_of_a_text_that_changed_meanwhile_is_not_stored(self, kernel, indexer, space):
        event = request("acme", await write(kernel.database, "acme", "1", "old"))
        items = await read_pending(kernel.database, named_by([event]))
        await write(kernel.database, "acme", "1", "new")

        await indexer._store(items, {indexer.space.id: await encode(indexer.batcher, ["old"])})

        assert await vectors(kernel.database, "acme", space.id) == {}
        assert await states(kernel.database, "acme") == {"1": ("pending", None)}

    async def test_a_vector_of_an_item_that_was_deleted_and_made_anew_is_not_stored(self, kernel, indexer, space):
        for text in ("old", "other", "old"):
            item = await write(kernel.database, "acme", "1", text)
        items = await read_pending(kernel.database, named_by([request("acme", item)]))
        async with kernel.database.transaction("acme") as connection:
            await connection.execute("DELETE FROM search_items")
        await write(kernel.database, "acme", "1", "old")

        await indexer._store(items, {indexer.space.id: await encode(indexer.batcher, ["old"])})

        assert await vectors(kernel.database, "acme", space.id) == {}
        assert await states(kernel.database, "acme") == {"1": ("pending", None)}

    async def test_new_metadata_meanwhile_does_not_cost_an_item_its_vector(self, kernel, indexer, space):
        item = await write(kernel.database, "acme", "1", "text")
        items = await read_pending(kernel.database, named_by([request("acme", item)]))
        await write(kernel.database, "acme", "1", "text")

        await indexer._store(items, {indexer.space.id: await encode(indexer.batcher, ["text"])})

        assert await vectors(kernel.database, "acme", space.id) == {"1": digest("text")}

    async def test_a_failure_of_a_text_that_changed_meanwhile_is_forgotten(self, kernel, indexer):
        item = await write(kernel.database, "acme", "1", POISON)
        items = await read_pending(kernel.database, named_by([request("acme", item)]))
        await write(kernel.database, "acme", "1", "new")

        await indexer._store(items, {indexer.space.id: await encode(indexer.batcher, [POISON])})

        assert await states(kernel.database, "acme") == {"1": ("pending", None)}

    async def test_an_item_whose_new_text_fails_keeps_no_vector_of_the_old_one(self, kernel, indexer, space):
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "old"))])

        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", POISON))])

        assert await vectors(kernel.database, "acme", space.id) == {}

    async def test_more_items_than_a_slice_are_all_stored(self, kernel, indexer, space, monkeypatch):
        monkeypatch.setattr(consumer, "SLICE", 3)
        items = [await write(kernel.database, "acme", str(number), f"word{number}") for number in range(10)]

        await indexer.handle([bulk_request("acme", *items), request("acme", items[0])])

        assert indexer.batcher._encoder.forwarded == [3, 3, 3, 1]
        assert len(await vectors(kernel.database, "acme", space.id)) == 10

    async def test_an_item_that_was_deleted_is_passed_over(self, kernel, indexer, space):
        item = await write(kernel.database, "acme", "1", "text")
        async with kernel.database.transaction("acme") as connection:
            await connection.execute("DELETE FROM search_items")

        await indexer.handle([request("acme", item)])

        assert await vectors(kernel.database, "acme", space.id) == {}

    async def test_a_text_that_the_model_cannot_take_fails_alone(self, kernel, indexer):
        items = [
            await write(kernel.database, "acme", "bad", f"some {POISON}"),
            await write(kernel.database, "acme", "infinite", "infinite"),
            await write(kernel.database, "acme", "good", "text"),
        ]

        await indexer.handle([request("acme", *items)])

        found = await states(kernel.database, "acme")
        assert {key: state for key, (state, _) in found.items()} == {
            "bad": "failed",
            "infinite": "failed",
            "good": "embedded",
        }
        assert "RuntimeError" in found["bad"][1]
        assert "no numbers" in found["infinite"][1]

    async def test_an_event_that_names_another_tenants_item_does_nothing(self, kernel, indexer):
        item = await write(kernel.database, "acme", "1", "text")

        await indexer.handle([request("zeta", item)])

        assert await states(kernel.database, "acme") == {"1": ("pending", None)}
