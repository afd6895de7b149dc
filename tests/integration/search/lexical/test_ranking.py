import random

import pytest

from services.search.items import Item
from tests.integration.search.lexical.oracle import WORDS, assert_ranked, bm25
from tests.integration.search.lexical.shelf import Shelf


def text_of(chance: random.Random, longest: int) -> str:
    """Return words, the earlier ones of `WORDS` more often, as words of a language are."""
    weights = [1 / rank for rank in range(1, len(WORDS) + 1)]
    return " ".join(chance.choices(WORDS, weights, k=chance.randint(1, longest)))


@pytest.mark.parametrize("seed", range(6))
class TestRandomHistories:
    async def test_each_tenant_gets_the_bm25_of_what_it_has_now(self, database, maintenance, seed):
        chance = random.Random(seed)  # noqa: S311 - chooses the steps of a test
        shelves = {tenant: Shelf(database, tenant) for tenant in ("acme", "zeta")}
        stored = {tenant: dict[str, str]() for tenant in shelves}
        for _ in range(60):
            tenant = chance.choice(list(shelves))
            keys = [str(chance.randrange(25)) for _ in range(chance.randint(1, 6))]
            step = chance.random()
            if step < 0.6:
                texts = {key: text_of(chance, 12) for key in keys}
                await shelves[tenant].put(**texts)
                stored[tenant] |= texts
            elif step < 0.85:
                await shelves[tenant].delete(*keys)
                stored[tenant] = {key: text for key, text in stored[tenant].items() if key not in keys}
            else:
                await maintenance.step()
            asked = chance.choice(list(shelves))
            query = chance.choices(WORDS, k=chance.randint(1, 5))
            limit = chance.choice([1, 3, 100])
            found = await shelves[asked].scores(" ".join(query), limit)
            assert_ranked(found, bm25(stored[asked], query), limit)


class TestManyItems:
    """Enough for merges of several levels, and for the sum to be made in a thread."""

    @pytest.fixture
    async def stored(self, shelf, maintenance) -> dict[str, str]:
        chance = random.Random(7)  # noqa: S311 - makes texts
        stored = {str(number): text_of(chance, 24) for number in range(12_000)}
        keys = list(stored)
        for start in range(0, len(keys), 1000):
            await shelf.save(*(Item("doc", key, stored[key]) for key in keys[start : start + 1000]))
        await maintenance.settle()
        for key in chance.sample(keys, 300):
            stored[key] = text_of(chance, 24)
            await shelf.put(**{key: stored[key]})
        for key in chance.sample(keys, 300):
            await shelf.delete(key)
            del stored[key]
        return stored

    async def test_the_best_are_exact_before_and_after_every_kind_of_maintenance(self, shelf, maintenance, stored):
        merged = await shelf.rows("SELECT count(*) FROM search_segments WHERE level > 2")
        assert merged != [(0,)]
        await self.check(shelf, stored)
        await maintenance.settle()
        await self.check(shelf, stored)
        keys = list(stored)
        for start in range(0, 4000, 1000):
            await shelf.delete(*keys[start : start + 1000])
        stored = {key: stored[key] for key in keys[4000:]}
        await self.check(shelf, stored)
        await maintenance.settle()
        await self.check(shelf, stored)

    async def check(self, shelf: Shelf, stored: dict[str, str]) -> None:
        chance = random.Random(3)  # noqa: S311 - chooses queries
        for size in (1, 1, 2, 3, 5, 8, 12):
            query = chance.sample(WORDS, size)
            expected = bm25(stored, query)
            for limit in (1, 10, 300):
                assert_ranked(await shelf.scores(" ".join(query), limit), expected, limit)
