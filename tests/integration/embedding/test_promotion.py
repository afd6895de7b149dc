"""What a node does beside serving while another version is promoted."""

import asyncio
import gc
import weakref
from datetime import datetime

import pytest

from mlplatform.spaces import changes
from mlplatform.spaces.probes import probe_recall
from services.embedding import following
from services.embedding.settings import EmbeddingSettings
from tests.integration.embedding.changing import OPERATOR, complete, embedded, index, new_space, ready
from tests.integration.embedding.tiny import serving
from tests.integration.embedding.waiting import eventually


async def heard_of(database) -> datetime:
    """Return when the node said something last."""
    async with database.transaction() as connection:
        (row,) = await (await connection.execute("SELECT seen_at FROM embedding_nodes")).fetchall()
    return row["seen_at"]


class TestNode:
    async def test_the_former_model_is_out_of_memory_once_its_space_is_gone(
        self, quick, kernel, owner_database, embedders
    ):
        async with serving(quick) as service:
            await ready(service)
            former, encoder = service.node.space, weakref.ref(service.node.model.encoder)
            embedders.promote("2")
            space_id = await new_space(kernel.database)
            await complete(kernel.database, space_id)
            await changes.switch(kernel.database, space_id, OPERATOR, accept_failures=False)
            await eventually(lambda: service.node.space.id == space_id)

            await changes.retire(owner_database, former.id, OPERATOR, force=True)

            def is_freed() -> bool:
                gc.collect()
                return encoder() is None

            await eventually(is_freed, 30)

    @pytest.mark.usefixtures("quick")
    async def test_a_node_is_heard_of_while_a_probe_takes_long(self, kernel, embedders, monkeypatch):
        monkeypatch.setenv("ML_EMBEDDING_SPACE_SWITCH", "auto")
        probing, go_on = asyncio.Event(), asyncio.Event()

        async def probe_at_length(*arguments, **options):
            probing.set()
            await go_on.wait()
            return await probe_recall(*arguments, **options)

        monkeypatch.setattr(following, "probe_recall", probe_at_length)
        async with serving(EmbeddingSettings()) as service:
            await ready(service)
            former = service.node.space
            embedders.promote("2")
            await eventually(probing.is_set)
            before = await heard_of(kernel.database)

            async def is_heard_of() -> bool:
                return await heard_of(kernel.database) > before

            await eventually(is_heard_of, 30)
            assert service.node.space == former
            go_on.set()
            await eventually(lambda: service.node.space.id != former.id)

    @pytest.mark.parametrize("damaged", ["model.safetensors", "tokenizer.json"])
    async def test_of_damaged_files_says_so_and_the_active_one_serves_on(self, quick, kernel, embedders, damaged):
        async with serving(quick) as service:
            await ready(service)
            embedders.promote(embedders.add_damaged(damaged))

            async def says_so() -> bool:
                records = await changes.list_spaces(kernel.database)
                return any(
                    record.fill is not None and "cannot be loaded" in (record.fill.problem or "") for record in records
                )

            await eventually(says_so)
            assert (await service.client.get("/health/ready")).status_code == 200
            await index(kernel, "acme", "1")
            await embedded(kernel.database, "acme", 1)

            embedders.promote("2")
            await complete(kernel.database, await new_space(kernel.database))
