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


@pytest.fixture
async def long(api, node):
    """Items of almost 100,000 characters."""
    text = " ".join(["fruit", *("x" * 999 for _ in range(99))])
    for start in range(0, 60, 20):
        await api.index_and_wait(*(item(f"{n:02}", f"{text} number{n}") for n in range(start, start + 20)))
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


class TestLongTexts:
    @pytest.mark.parametrize("shown", [{}, {"content": True, "highlight": True}])
    async def test_a_page_ends_before_it_takes_all_memory_and_the_cursor_goes_on(self, long, shown):
        found, pages = await walk(long, "fruit", 1000, **shown)

        assert sorted(found) == [f"{n:02}" for n in range(60)]
        assert len(pages) == 2
        sizes = [sum(len(result["text"]) for result in page["results"]) for page in pages]
        assert all(size < 4_200_000 for size in sizes)
        assert ("ends early" in pages[0]["reason"], pages[1]["reason"]) == (True, None)

    async def test_without_texts_there_is_room_for_all(self, long):
        assert len(await long.found("fruit", limit=1000, content=False)) == 60


class TestBeyondCandidates:
    @pytest.fixture
    def slow(self, app, monkeypatch):
        """Returns a block in which what lies beyond the candidates takes too long to rank."""
        ranker = app.state.searcher._ranker

        async def sleep(tenant, *_):
            async with app.state.kernel.database.reading(tenant) as connection:
                await connection.execute("SELECT pg_sleep(60)")

        @contextmanager
        def block():
            with monkeypatch.context() as patched:
                patched.setattr(ranker._vectors, "search_exact", sleep)
                patched.setattr(ranker, "patience", 2.0)
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

    async def test_items_without_a_vector_follow_by_their_words(self, many, owner):
        owner.execute("UPDATE search_items SET state = 'failed', error = 'too odd' WHERE entity_id >= '010'")

        whole = await many.found("ripe fruit", limit=1000)

        found, pages = await walk(many, "ripe fruit", 25)

        assert sorted(found) == [f"{n:03}" for n in range(90)]
        assert found == whole
        scores = [result["score"] for page in pages for result in page["results"]]
        assert scores == sorted(scores, reverse=True)

    @pytest.mark.usefixtures("node")
    @pytest.mark.parametrize("fusion", ["convex", "rrf"])
    async def test_where_words_find_nothing_vectors_have_all_the_weight_there_too(self, api, fusion):
        await api.index_and_wait(*(item(f"{n:02}", f"fruit number{n} {'the ' * n}") for n in range(90)))

        page = (await api.search("the", limit=1000, fusion=fusion, explain=True)).json()

        scores = [result["score"] for result in page["results"]]
        shares = [result["explain"]["vector"]["share"] for result in page["results"]]
        beyond = [min(share, scores[29]) for share in shares[30:]]  # the index may have missed one that belongs before
        assert scores == pytest.approx(shares[:30] + beyond)
        assert len(scores) == 90
        assert scores[-1] >= 0


class TestOutages:
    async def test_a_leg_that_is_back_changes_the_ranking_and_that_is_told(self, many, embedding_server):
        embedding_server.status = 503
        first = (await many.search("ripe fruit", limit=10)).json()
        second = (await many.search("ripe fruit", limit=10, cursor=first["cursor"])).json()
        embedding_server.status = 200
        third = (await many.search("ripe fruit", limit=10, cursor=second["cursor"])).json()

        assert [page["degraded"] for page in (first, second, third)] == [["vector"], ["vector"], []]
        assert [page["index_changed"] for page in (first, second, third)] == [False, False, True]

    async def test_a_leg_that_fails_meanwhile_does_too(self, many, app, embedding_server):
        first = (await many.search("ripe fruit", limit=10)).json()
        await app.state.kernel.redis.flushdb()
        embedding_server.status = 503
        second = (await many.search("ripe fruit", limit=10, cursor=first["cursor"])).json()

        assert (second["degraded"], second["index_changed"]) == (["vector"], True)


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
