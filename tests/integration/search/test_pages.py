"""Pages of one ranking, while nothing changes and while something does."""

from contextlib import contextmanager

import pytest

from tests.integration.search.api import item


@pytest.fixture
async def many(api, node):
    """More items than candidates, and more than are compared exactly; every third has another word."""
    await api.index_and_wait(
        *(item(f"{n:03}", f"fruit number{n} {'red' if n % 3 else 'ripe plum'}", tags=[f"t{n % 2}"]) for n in range(90))
    )
    return api


async def walk(api, query, size, **more):
    """Return the ids of every page, and the last answer."""
    found, cursor, pages = [], None, []
    while True:
        answer = await api.search(query, limit=size, **({"cursor": cursor} if cursor else {}), **more)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        found += [result["entity_id"] for result in pages[-1]["results"]]
        cursor = pages[-1]["cursor"]
        if cursor is None:
            return found, pages


class TestCursor:
    @pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical"])
    @pytest.mark.parametrize("size", [7, 30, 64])
    async def test_pages_hold_every_item_once_and_in_the_order_of_one_large_page(self, many, mode, size):
        whole = await many.found("ripe fruit", limit=1000, mode=mode)

        found, pages = await walk(many, "ripe fruit", size, mode=mode)

        assert found == whole
        assert sorted(found) == sorted(set(found))
        assert len(found) == 90
        assert not any(page["index_changed"] for page in pages)
        scores = [result["score"] for page in pages for result in page["results"]]
        assert scores == sorted(scores, reverse=True)

    async def test_filters_hold_on_every_page(self, many):
        found, _ = await walk(many, "ripe fruit", 8, tags=["t1"])

        assert sorted(found) == [f"{n:03}" for n in range(1, 90, 2)]

    async def test_an_offset_is_the_same_place(self, many):
        whole = await many.found("ripe fruit", limit=1000)

        assert await many.found("ripe fruit", limit=10, offset=25) == whole[25:35]
        assert await many.found("ripe fruit", limit=10, offset=85) == whole[85:]
        assert await many.found("ripe fruit", limit=10, offset=500) == []

    async def test_the_size_of_pages_may_change(self, many):
        whole = await many.found("ripe fruit", limit=1000)
        first = (await many.search("ripe fruit", limit=5)).json()

        assert await many.found("ripe fruit", limit=20, cursor=first["cursor"]) == whole[5:25]

    async def test_of_another_query_is_refused(self, many):
        first = (await many.search("ripe fruit", limit=5)).json()

        for other in ({"query": "red fruit"}, {"tags": ["t1"]}, {"mode": "vector"}):
            answer = await many.search(**{"query": "ripe fruit", "limit": 5, "cursor": first["cursor"]} | other)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


class TestBeyondCandidates:
    @pytest.fixture
    def slow(self, app, monkeypatch):
        """Returns a block in which what lies beyond the candidates takes too long to rank."""
        ranker = app.state.searcher._ranker

        async def sleep(tenant, *_):
            async with app.state.kernel.database.pipeline(tenant) as connection:
                await connection.execute("SELECT pg_sleep(60)")

        @contextmanager
        def block():
            with monkeypatch.context() as patched:
                patched.setattr(ranker._vectors, "search_exact", sleep)
                patched.setattr(ranker, "_patience", 2.0)
                yield

        return block

    async def test_a_page_ends_with_the_candidates_when_the_rest_takes_too_long(self, many, slow):
        whole = await many.found("ripe fruit", limit=1000)

        with slow():
            page = (await many.search("ripe fruit", limit=50)).json()

        assert [result["entity_id"] for result in page["results"]] == whole[:30]
        assert (page["degraded"], page["complete"]) == (["vector"], False)
        assert "took too long" in page["reason"]
        following = (await many.search("ripe fruit", limit=50, cursor=page["cursor"])).json()
        assert [result["entity_id"] for result in following["results"]] == whole[30:80]
        assert (following["degraded"], following["complete"], following["reason"]) == ([], True, None)

    async def test_a_page_of_nothing_else_is_not_answered(self, many, slow):
        with slow():
            answer = await many.search("ripe fruit", limit=10, offset=40)

        assert (answer.status_code, "took too long" in answer.text) == (503, True)


class TestChanges:
    @pytest.mark.parametrize("cached", [True, False])
    async def test_a_deleted_item_is_never_shown_and_the_change_is_told(self, many, app, cached):
        first = (await many.search("ripe fruit", limit=10)).json()
        coming = (await many.search("ripe fruit", limit=10, offset=10)).json()["results"]
        gone = {result["entity_id"] for result in coming[:5]}
        if not cached:
            await app.state.kernel.redis.flushdb()
        await many.delete(*gone)

        second = (await many.search("ripe fruit", limit=10, cursor=first["cursor"])).json()

        shown = [result["entity_id"] for result in second["results"]]
        assert second["index_changed"] is True
        assert len(shown) == 10
        assert not gone & set(shown)

    async def test_with_the_first_ranking_at_hand_nothing_is_shown_twice(self, many):
        first = (await many.search("ripe fruit", limit=10)).json()
        await many.index_and_wait(item("new", "ripe ripe ripe fruit"))

        second = (await many.search("ripe fruit", limit=10, cursor=first["cursor"])).json()

        assert second["index_changed"] is True
        before = {result["entity_id"] for result in first["results"]}
        assert not before & {result["entity_id"] for result in second["results"]}

    async def test_an_item_that_no_longer_meets_the_filters_is_passed_over(self, many):
        first = (await many.search("ripe fruit", limit=5, tags=["t0"])).json()
        whole = await many.found("ripe fruit", limit=15, tags=["t0"])
        moved = whole[5]
        await many.index_and_wait(item(moved, "fruit of another tag", tags=["t1"]))

        second = (await many.search("ripe fruit", limit=5, tags=["t0"], cursor=first["cursor"])).json()

        assert moved not in [result["entity_id"] for result in second["results"]]
