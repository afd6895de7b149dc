"""Both legs at once, and what is left when one of them fails."""

from dataclasses import replace

import pytest
from psycopg.types.json import Jsonb

from services.search import searcher
from services.search.filters import Filters
from services.search.lexical import repository as lexical_repository
from services.search.query import repository
from services.search.schemas import SearchRequest
from tests.integration.search.api import item

OPERATORS = ('"', '""', "AND OR NOT", "& | ! ( )", "-apple", "a:*b", "'; --", "\\", "%s %(x)s")
ORCHARD = "an orchard is work for a whole year: trees are cut and watered and each apple is picked by hand"
TEXTS = {
    "1": "red apple pie",
    "2": "green apple",
    "3": "red car",
    "4": "the quick brown fox",
    "5": "apples and pears",
}


@pytest.fixture
async def fruit(api, node):
    await api.index_and_wait(*(item(key, text) for key, text in TEXTS.items()))
    return api


@pytest.fixture
async def orchard(api, node):
    """Many items with the word, in a form that vectors take for another, and one that words propose as the last."""
    texts = {"orchard": ORCHARD} | {f"{key}": f"apples {key}" for key in range(40)}
    await api.index_and_wait(*(item(key, text, tags=["fruit"]) for key, text in texts.items()))
    return api


async def answer(api, query, **more):
    found = await api.search(query, **more)
    assert found.status_code == 200, found.text
    return found.json()


def ids(found):
    return [result["entity_id"] for result in found["results"]]


class TestModes:
    async def test_words_find_what_has_them_in_any_form(self, fruit):
        found = await answer(fruit, "apples", mode="lexical")

        assert set(ids(found)) == {"1", "2", "5"}
        assert (found["strategy"], found["complete"], found["model"]) == ("none", True, None)

    async def test_vectors_rank_everything(self, fruit):
        found = await answer(fruit, "red apple", mode="vector")

        assert len(ids(found)) == 5
        assert found["results"][0]["score"] <= 1

    async def test_both_together_rank_first_what_both_find(self, fruit):
        found = await answer(fruit, "red apple")

        assert ids(found)[0] == "1"
        assert len(ids(found)) == 5
        scores = [result["score"] for result in found["results"]]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= scores[-1] <= scores[0] <= 1

    async def test_a_weight_of_one_is_the_order_of_the_vectors(self, fruit):
        vectors = await answer(fruit, "red apple", mode="vector")

        assert ids(await answer(fruit, "red apple", weight=1)) == ids(vectors)

    async def test_reciprocal_rank_fusion_adds_ranks(self, fruit):
        found = await answer(fruit, "red apple pie", fusion="rrf", explain=True)

        best = found["results"][0]
        assert best["entity_id"] == "1"
        assert best["explain"]["vector"]["rank"] == best["explain"]["lexical"]["rank"] == 1
        assert best["score"] == pytest.approx(2 / 61)
        assert found["explain"]["weight"] == 0.5

    async def test_only_stop_words_leave_the_vectors_and_say_why(self, fruit):
        found = await answer(fruit, "the and of")
        words = await answer(fruit, "the and of", mode="lexical")

        assert len(ids(found)) == 5
        assert found["reason"]
        assert (ids(words), words["degraded"], bool(words["reason"])) == ([], [], True)

    @pytest.mark.parametrize(
        "query", ['"', '""', "AND OR NOT", "& | ! ( )", "-apple", "a:*b", "'; --", "\\", "%s %(x)s"]
    )
    async def test_operators_are_no_syntax(self, fruit, query):
        for mode in ("hybrid", "lexical", "vector"):
            assert (await fruit.search(query, mode=mode)).status_code == 200

    async def test_without_content_results_are_keys_and_scores(self, fruit):
        found = await answer(fruit, "red apple", content=False)

        assert all(set(result) == {"entity_type", "entity_id", "score"} for result in found["results"])


class TestShortPages:
    @pytest.fixture(params=[50, 10], ids=["compared", "walked"])
    def settings(self, settings, request):
        few = {"search_candidates": 60, "search_page_candidates": 10}
        return settings.model_copy(update={"search_exact_rows": request.param, **few})

    @pytest.mark.parametrize("more", [{}, {"tags": ["fruit"]}], ids=["all", "filtered"])
    async def test_words_count_though_so_many_others_have_them_that_words_do_not_propose_it(self, orchard, more):
        found = await answer(orchard, "apple", limit=5, explain=True, **more)

        best = next(result for result in found["results"] if result["entity_id"] == "orchard")
        words = best["explain"]["lexical"]
        assert best["explain"]["vector"]["rank"] == 1
        assert (words["score"] > 0, words["rank"], 0 < words["share"] < 1) == (True, None, True)
        assert best["score"] == pytest.approx(0.6 + 0.4 * words["share"])

    async def test_their_scores_are_those_of_a_longer_page(self, orchard):
        short = await answer(orchard, "apple", limit=5, explain=True)
        long = await answer(orchard, "apple", limit=41, explain=True)

        scores = {result["entity_id"]: result["explain"]["lexical"]["score"] for result in long["results"]}
        for result in short["results"]:
            assert result["explain"]["lexical"]["score"] == pytest.approx(scores[result["entity_id"]])

    @pytest.mark.parametrize(("limit", "candidates"), [(5, 20), (10, 20), (11, 41)])
    async def test_more_results_come_of_more_candidates(self, orchard, limit, candidates):
        found = await answer(orchard, "apple", mode="vector", limit=limit, explain=True)

        assert (len(found["results"]), found["explain"]["candidates"]) == (limit, candidates)

    @pytest.mark.parametrize(("limit", "fusion", "many"), [(5, "convex", False), (6, "convex", True), (5, "rrf", True)])
    async def test_ten_of_each_leg_will_do_where_both_scores_of_all_are_known(self, orchard, limit, fusion, many):
        found = await answer(orchard, "apple", limit=limit, fusion=fusion, explain=True)

        assert (found["explain"]["candidates"] > 20) == many


class TestExplain:
    async def test_shows_each_legs_score_rank_and_share(self, fruit):
        found = await answer(fruit, "red apple", explain=True)

        how = found["explain"]
        assert (how["weight"], how["matching"], how["more_match"]) == (0.6, 5, False)
        assert {"state", "embed", "lexical", "vector", "items"} <= set(how["milliseconds"])
        for result in found["results"]:
            vector, lexical = result["explain"]["vector"], result["explain"]["lexical"]
            assert result["score"] == pytest.approx(0.6 * vector["share"] + 0.4 * lexical["share"])
        fox = next(result for result in found["results"] if result["entity_id"] == "4")
        assert fox["explain"]["lexical"] == {"score": None, "rank": None, "share": 0.0}


class TestHighlights:
    async def test_show_the_words_in_any_form(self, fruit):
        found = await answer(fruit, "red apple", highlight=True)

        shown = {result["entity_id"]: result["highlights"] for result in found["results"]}
        (passage,) = shown["1"]
        assert [passage["text"][start:end] for start, end in passage["marks"]] == ["red", "apple"]
        assert shown["5"][0]["marks"] == [[0, 6]]
        assert shown["4"] == []

    async def test_show_what_was_looked_for_instead_of_a_slip(self, fruit):
        for _ in range(2):  # ranked, and from the cache
            found = await answer(fruit, "aplles", mode="lexical", highlight=True)

            assert found["corrected"].keys() == {"aplles"}
            marked = {
                passage["text"][start:end]
                for result in found["results"]
                for passage in result["highlights"]
                for start, end in passage["marks"]
            }
            assert marked == {"apple", "apples"}

    @pytest.mark.usefixtures("node")
    async def test_show_words_however_their_letters_are_composed(self, api):
        await api.index_and_wait(item("1", "a cafe\u0301 and a tea"))

        (result,) = (await answer(api, "cafe\u0301", mode="lexical", highlight=True))["results"]

        (passage,) = result["highlights"]
        assert [passage["text"][start:end] for start, end in passage["marks"]] == ["caf\u00e9"]

    @pytest.mark.usefixtures("node")
    async def test_private_characters_of_a_text_mark_nothing(self, api):
        await api.index_and_wait(item("1", "\ue000red\ue001 \ue002 apple <b>tart</b> & more"))

        (result,) = (await answer(api, "apple tart", highlight=True))["results"]

        (passage,) = result["highlights"]
        assert [passage["text"][start:end] for start, end in passage["marks"]] == ["apple", "tart"]
        assert "\ue000" not in passage["text"]


class TestDegradation:
    async def test_without_embeddings_words_answer_and_say_so(self, fruit, embedding_server):
        embedding_server.status = 500

        found = await answer(fruit, "red apple")

        assert (set(ids(found)), found["degraded"], found["complete"]) == ({"1", "2", "3", "5"}, ["vector"], False)
        assert "embedding" in found["reason"]

    async def test_without_words_vectors_answer_and_say_so(self, fruit, app):
        async def broken(connection, *_, **__):
            await connection.execute("SELECT 1 / 0")

        app.state.searcher._ranker._words.search = broken

        found = await answer(fruit, "red apple")

        assert (len(ids(found)), found["degraded"], found["complete"]) == (5, ["lexical"], False)
        assert "lexical" in found["reason"]

    async def test_without_either_there_is_no_answer(self, fruit, app, embedding_server):
        async def broken(connection, *_, **__):
            await connection.execute("SELECT 1 / 0")

        app.state.searcher._ranker._words.search = broken
        embedding_server.status = 500

        assert (await fruit.search("red apple")).status_code == 503

    async def test_a_leg_that_takes_too_long_is_left_out(self, fruit, app):
        async def slow(connection, *_, **__):
            await connection.execute("SELECT pg_sleep(60)")

        app.state.searcher._ranker._words.search = slow
        app.state.searcher._ranker.patience = 0.5

        found = await answer(fruit, "red apple")

        assert (found["degraded"], len(ids(found))) == (["lexical"], 5)

    async def test_a_degraded_answer_is_not_kept(self, fruit, embedding_server):
        embedding_server.status = 500
        await answer(fruit, "red apple")
        embedding_server.status = 200

        assert (await answer(fruit, "red apple"))["degraded"] == []

    async def test_other_weights_than_the_index_was_made_with_degrade_too(self, fruit, embedding_server):
        embedding_server.digest = "b" * 64

        found = await answer(fruit, "red apple")

        assert found["degraded"] == ["vector"]
        assert "other weights" in found["reason"]


class TestPending:
    @pytest.mark.usefixtures("space")
    async def test_words_find_items_that_wait_for_their_embedding(self, api):
        await api.index(item("1", "red apple"))

        found = await answer(api, "apple")

        assert (ids(found), found["complete"]) == (["1"], False)
        assert "wait" in found["reason"]
        assert (await answer(api, "apple", mode="vector"))["results"] == []


@pytest.mark.usefixtures("node")
class TestReason:
    async def test_an_item_stored_after_a_vain_search_takes_the_reason_away(self, api):
        vain = await answer(api, "apple", mode="vector", tags=["new"])
        await api.index_and_wait(item("1", "red apple", tags=["new"]))

        found = await answer(api, "apple", mode="vector", tags=["new"])

        assert (ids(vain), vain["reason"]) == ([], "No embedded item meets the filters.")
        assert (ids(found), found["reason"]) == (["1"], None)

    async def test_items_that_no_model_can_embed_are_not_called_absent(self, api):
        answered = await api.index(item("1", "apple poison"), wait=True, wait_seconds=60)
        assert answered.json()["failed"] == 1

        for more in ({}, {"entity_types": ["doc"]}):
            found = await answer(api, "apple", **more)
            assert (ids(found), found["reason"]) == (["1"], None)

    async def test_an_answer_that_is_short_since_too_many_have_the_words_says_so(self, api, monkeypatch):
        monkeypatch.setattr(lexical_repository, "MOST_POSTINGS", 3)
        await api.index_and_wait(*(item(str(n), "red apple" if n else "ripe apple") for n in range(5)))

        found = await answer(api, "ripe apple", mode="lexical")

        assert (ids(found), found["complete"]) == (["0"], False)
        assert "not all of them could be looked at" in found["reason"]

    async def test_an_empty_index_says_so(self, api):
        assert "no embedded item" in (await answer(api, "apple", mode="vector"))["reason"]


class TestChangeOfSpace:
    @pytest.mark.usefixtures("node")
    async def test_a_query_that_began_before_a_switch_compares_and_explains_in_the_space_of_its_vector(
        self, api, space, monkeypatch
    ):
        plums = [item(f"plum{n}", f"plum note{n}") for n in range(40)]
        await api.index_and_wait(*plums, item("quince", " ".join(["quince", *(f"word{n}" for n in range(60))])))
        read = searcher._read_state

        async def read_before_the_switch(reading):
            state = await read(reading)
            return replace(state, space=replace(state.space, id=space.id + 1000, digest="b" * 64))

        monkeypatch.setattr(searcher, "_read_state", read_before_the_switch)

        found = await answer(api, "plum quince", explain=True, weight=0.1)

        (quince,) = (result for result in found["results"] if result["entity_id"] == "quince")
        assert quince["explain"]["vector"]["rank"] is None  # words alone proposed it
        assert 0 < quince["explain"]["vector"]["score"] < 0.3
        assert (found["explain"]["space"], found["degraded"]) == (space.id, [])


class TestConditions:
    """Conditions are written twice, for the planner and for row-level security, and must mean the same."""

    FILTERS = (
        {"a": {"gt": 2}},
        {"a": {"gte": "b"}},
        {"a": {"lt": 2.5, "gt": -1}},
        {"a": {"ne": 1}},
        {"a": {"ne": None}},
        {"a": {"exists": True}},
        {"a": {"exists": False}},
        {"a": [1, "1", None, True]},
        {"a": {"in": [2, "b"]}},
        {"a": "Ä"},
        {"a": {"lte": "Z"}},
        {"it's": {"gt": "'"}},
        {"a": 1, "it's": {"exists": True}},
    )
    VALUES = (1, 1.0, 2, 2.5, -3, "1", "b", "B", "Ä", "", None, True, False, [1], {"b": 1}, 10**15)

    @pytest.mark.usefixtures("node")
    async def test_both_ways_of_writing_them_find_the_same_items(self, api, kernel):
        texts = [item(f"{n:02}", f"text {n}", metadata={"a": value}) for n, value in enumerate(self.VALUES)]
        quoted = item("98", "text", metadata={"it's": "'''", "a": 1})
        await api.index_and_wait(*texts, quoted, item("99", "text"))
        for wire in self.FILTERS:
            filters = SearchRequest(query="x", filters=wire).wanted().filters
            async with kernel.database.transaction("acme") as connection:
                cursor = await connection.execute(
                    "SELECT entity_id FROM matching_search_items(%s, NULL)", (Jsonb(filters.document()),)
                )
                by_function = {row["entity_id"] for row in await cursor.fetchall()}
                keys = [("doc", f"{n:02}") for n in range(100)]
                rows = await repository.read_items(connection, keys, filters, content=False, words=None)
            assert by_function == {row["entity_id"] for row in rows}, wire
            assert by_function == set(await api.found("text", filters=wire, limit=100, mode="vector")), wire

    def test_no_condition_is_all(self):
        assert not Filters()
        assert Filters().document() == {}
