import psycopg
import pytest

from services.search.filters import Filters, equal_to
from services.search.items import Item
from services.search.lexical import Reason, language_repository, leg, repository
from tests.integration.search.lexical.shelf import Shelf


@pytest.fixture
async def fruit(shelf: Shelf) -> Shelf:
    await shelf.save(
        Item("doc", "pie", "A pie of red apples", {"price": 5}, ["baked"]),
        Item("doc", "juice", "Juice of apples and pears", {"price": 3}),
        Item("note", "tree", "The apple tree is red in autumn, red as a pie", {"price": 5}),
        Item("doc", "york", "New plums came to York", {"price": 1}),
        Item("doc", "new-york", "Plums of New York", {"price": 1}, ["baked"]),
    )
    return shelf


class TestWords:
    async def test_any_word_finds_and_more_of_them_find_first(self, fruit):
        assert await fruit.found("red pears") == ["juice", "tree", "pie"]

    async def test_forms_of_a_word_are_one_word(self, fruit):
        assert set(await fruit.found("apple")) == {"pie", "juice", "tree"}

    async def test_a_word_given_twice_counts_twice(self, fruit):
        once, twice = await fruit.scores("plum"), await fruit.scores("plum plums")

        assert [score for _, score in twice] == pytest.approx([2 * score for _, score in once])

    async def test_the_limit_holds(self, fruit):
        assert len(await fruit.found("apple", limit=2)) == 2

    async def test_equal_items_come_in_the_order_they_were_stored_in(self, shelf):
        await shelf.put(b="yak", a="yak")
        await shelf.put(c="yak")
        await shelf.put(a="ibex")
        await shelf.put(a="yak")

        assert await shelf.found("yak") == ["b", "c", "a"]
        assert await shelf.found("yak", limit=2) == ["b", "c"]

    async def test_items_are_found_before_they_are_embedded_and_without_any_space(self, shelf):
        await shelf.put(a="yak")

        assert await shelf.found("yak") == ["a"]


class TestPhrases:
    async def test_must_be_there_word_by_word(self, fruit):
        assert await fruit.found('"new york"') == ["new-york"]
        assert set(await fruit.found("new york")) == {"york", "new-york"}

    async def test_a_quoted_word_must_be_there(self, fruit):
        assert await fruit.found('"pears" red apples') == ["juice"]

    async def test_other_words_only_add_to_the_score(self, fruit):
        assert await fruit.found('plums "red apples" autumn') == ["pie"]

    async def test_all_of_them_must_be_there(self, fruit):
        assert await fruit.found('"red" "pie"') == ["pie", "tree"]
        assert (await fruit.search('"red apples" "new york"')).reason is Reason.NO_MATCH

    async def test_stop_words_in_them_hold_their_place(self, fruit):
        assert await fruit.found('"juice of apples"') == ["juice"]
        assert await fruit.found('"juice apples"') == []

    async def test_one_of_stop_words_only_asks_for_nothing(self, fruit):
        assert set(await fruit.found('"of the" plums')) == {"york", "new-york"}

    async def test_a_rare_phrase_is_found_behind_many_items_with_its_words(self, shelf):
        await shelf.save(*(Item("doc", f"no{i}", "yak gnu gnu yak") for i in range(200)))
        await shelf.put(yes="one gnu and one ibex with a gnu and then a yak puma ibex")
        await shelf.save(*(Item("doc", f"never{i}", "puma puma yak puma") for i in range(200)))

        assert await shelf.found('"yak puma ibex"', limit=1) == ["yes"]
        assert await shelf.found('"yak puma" yak gnu', limit=1) != []


class TestNothingFound:
    @pytest.mark.parametrize(
        "query", ["the of and", "AND OR NOT", '"', "& | ! ( ) * :", "+ -", '"to be or not to be"', "…!?", "\x01"]
    )
    async def test_a_query_without_words_says_so(self, fruit, query):
        answer = await fruit.search(query)

        assert (list(answer.hits), answer.reason) == ([], Reason.NO_WORDS)

    async def test_words_that_no_item_has_say_so(self, fruit):
        answer = await fruit.search("zeppelin")

        assert (list(answer.hits), answer.reason, answer.corrected) == ([], Reason.NO_MATCH, {})

    async def test_an_empty_index_says_so(self, shelf):
        assert (await shelf.search("apple")).reason is Reason.NO_MATCH

    async def test_filters_that_leave_nothing_say_so(self, fruit):
        assert (await fruit.search("plums", Filters(tags=["raw"]))).reason is Reason.FILTERED
        assert (await fruit.search("zeppelin", Filters(tags=["baked"]))).reason is Reason.NO_MATCH

    async def test_operators_of_postgres_are_plain_text(self, fruit):
        assert set(await fruit.found("plums & ! | <-> ':* \\ (")) == {"york", "new-york"}


class TestTypos:
    @pytest.mark.parametrize("slip", ["aples", "appple", "aplpes", "spples", "APPLEX"])
    async def test_are_mended_when_nothing_matches(self, fruit, slip):
        answer = await fruit.search(slip)

        assert {hit.entity_id for hit in answer.hits} == {"pie", "juice", "tree"}
        assert answer.corrected.keys() == {slip.lower()}

    async def test_are_left_when_another_word_matches(self, fruit):
        answer = await fruit.search("aples plums")

        assert {hit.entity_id for hit in answer.hits} == {"york", "new-york"}
        assert answer.corrected == {}

    async def test_the_spelling_that_most_items_have_is_chosen(self, shelf):
        await shelf.put(a="barn", b="bark", c="bark")

        assert (await shelf.search("barx")).corrected == {"barx": "bark"}

    async def test_a_word_that_only_deleted_items_had_is_not_suggested(self, shelf):
        await shelf.put(a="secretive")
        await shelf.delete("a")

        answer = await shelf.search("secretivw")
        assert (list(answer.hits), answer.corrected) == ([], {})

    async def test_words_of_other_tenants_are_not_suggested(self, shelf, other):
        await other.put(a="secretive")
        await shelf.put(a="plum")

        assert (await shelf.search("secretivw")).corrected == {}

    async def test_quoted_words_are_meant_as_they_are(self, fruit):
        assert (await fruit.search('"aples"')).reason is Reason.NO_MATCH


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            (Filters(entity_types=["note"]), {"tree"}),
            (Filters(entity_types=["doc", "note"]), {"tree", "pie", "juice"}),
            (Filters(tags=["baked"]), {"pie"}),
            (Filters(metadata=equal_to({"price": [5]})), {"pie", "tree"}),
            (Filters(metadata=equal_to({"price": [3, 5]}), entity_types=["doc"]), {"pie", "juice"}),
        ],
    )
    async def test_hold(self, fruit, filters, found):
        assert set(await fruit.found("apple", filters)) == found

    async def test_never_shorten_the_answer_while_enough_match(self, shelf):
        await shelf.save(*(Item("doc", f"b{i}", "yak yak yak", tags=["many"]) for i in range(700)))
        await shelf.save(*(Item("doc", f"c{i}", "yak and some gnu", tags=["few"]) for i in range(15)))
        await shelf.save(*(Item("doc", f"d{i}", "a gnu and many other things") for i in range(700)))

        assert len(await shelf.found("yak", Filters(tags=["few"]), limit=10)) == 10
        assert len(await shelf.found("yak", Filters(tags=["few"]), limit=20)) == 15
        assert len(await shelf.found("yak gnu", Filters(tags=["many"]), limit=600)) == 600

    async def test_scores_are_those_of_all_items(self, fruit):
        scores = dict(await fruit.scores("red apple"))
        narrowed = await fruit.search("red apple", Filters(tags=["baked"]))

        assert [(hit.entity_id, hit.score) for hit in narrowed.hits] == [("pie", scores["pie"])]


class TestBounds:
    """What a query may cost, however many items have its words."""

    @pytest.fixture
    async def herd(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Shelf:
        monkeypatch.setattr(repository, "MOST_POSTINGS", 50)
        await shelf.save(*(Item("doc", f"gnu{i}", "a yak and a gnu") for i in range(40)))
        await shelf.save(*(Item("doc", f"puma{i}", "the yak, a puma and a gnu") for i in range(20)))
        return shelf

    async def test_words_that_most_items_have_are_left_out_first(self, herd):
        found = await herd.search("yak puma", limit=10)
        rest = await herd.search("yak puma", limit=60)

        assert {hit.entity_id for hit in found.hits} <= {f"puma{i}" for i in range(20)}
        assert (len(found.hits), found.complete) == (10, True)
        assert {hit.entity_id for hit in rest.hits} == {f"puma{i}" for i in range(20)}
        assert (rest.reason, rest.complete) == (None, False)

    async def test_a_word_alone_is_looked_for_however_many_have_it(self, herd):
        found = await herd.search("yak", limit=100)

        assert (len(found.hits), found.complete) == (60, True)

    async def test_phrases_hold_though_their_words_are_left_out(self, herd):
        await herd.put(other="the yak is no puma")

        found = await herd.search('"yak, a puma"', limit=10)

        assert {hit.entity_id for hit in found.hits} <= {f"puma{i}" for i in range(20)}
        assert len(found.hits) == 10
        assert (await herd.search('"yak ibex"')).reason is Reason.NO_MATCH

    async def test_the_best_items_are_looked_at_and_the_answer_says_that_there_are_more(self, shelf, monkeypatch):
        monkeypatch.setattr(leg, "FILTERED_ROWS", 10)
        monkeypatch.setattr(leg, "LOOKED_AT", 100)
        await shelf.save(*(Item("doc", f"b{i}", "yak yak yak") for i in range(150)))
        await shelf.save(*(Item("doc", f"c{i}", "yak and some gnu", tags=["few"]) for i in range(15)))

        missed = await shelf.search("yak", Filters(tags=["few"]), limit=5)
        whole = await shelf.search("yak", Filters(tags=["few"]), limit=100)

        assert (list(missed.hits), missed.reason, missed.complete) == ([], Reason.TOO_MANY, False)
        assert (len(whole.hits), whole.complete) == (15, True)


class TestLanguages:
    async def set(self, shelf: Shelf, entity_type: str, language: str) -> None:
        async with shelf.database.transaction(shelf.tenant) as connection:
            await language_repository.set_language(connection, entity_type, language)

    async def test_a_type_is_indexed_in_its_own(self, shelf):
        await self.set(shelf, "buch", "german")
        await shelf.save(Item("buch", "1", "Die Hunde bellten im Wald"), Item("book", "2", "The dogs barked"))

        assert await shelf.found("Hund") == ["1"]
        assert await shelf.found("barking") == ["2"]
        assert await shelf.found('"im Wald"') == ["1"]

    async def test_older_items_follow_and_answers_hold_meanwhile(self, shelf, maintenance):
        await shelf.save(*(Item("buch", str(i), "Die Hunde bellten") for i in range(3)), Item("book", "4", "Hunde"))
        assert await shelf.found("bellt") == []

        await self.set(shelf, "buch", "german")
        assert len(await shelf.found("Hunde")) == 4
        await maintenance.settle()

        assert set(await shelf.found("bellt")) == {"0", "1", "2"}
        assert await shelf.rows("SELECT DISTINCT language FROM search_documents ORDER BY 1") == [
            ("english",),
            ("german",),
        ]

    async def test_one_that_postgres_does_not_have_is_refused(self, shelf):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="klingon"):
            await self.set(shelf, "buch", "klingon")


class TestComposition:
    """One and the same word may be written as a letter with its mark, or as a letter and a mark after it."""

    async def test_a_word_is_found_however_its_letters_are_composed(self, shelf):
        await shelf.put(composed="caf\u00e9", apart="cafe\u0301")

        assert set(await shelf.found("caf\u00e9")) == {"composed", "apart"}
        assert set(await shelf.found('"caf\u00e9"')) == {"composed", "apart"}

    async def test_a_rewritten_text_leaves_no_trace(self, shelf):
        await shelf.put(a="cafe\u0301")
        await shelf.put(a="tea")

        assert await shelf.found("caf\u00e9") == []


class TestOddTexts:
    @pytest.mark.parametrize(
        "text",
        [
            "日本語 🙂",
            "\x01\x07",
            "x" * 100_000,
            "x" * 100_000 + " yak" * 10,
            "😀" * 100_000,
            "'; DROP TABLE search_items; --",
            " ".join(f"{i:x}" for i in range(18_000)),
            "-".join("𐐨𐐩𐐪" for _ in range(25_000)),
            "/".join("𐐨𐐩" for _ in range(33_000)),
            "yak " * 25_000,
        ],
        ids=range(10),
    )
    async def test_are_stored_found_by_a_plain_word_beside_them_and_deleted(self, shelf, text):
        await shelf.put(a=text[:100_000], b="zebu")

        assert await shelf.found("zebu") == ["b"]
        await shelf.search(text[:100_000])
        await shelf.delete("a", "b")
        assert (await shelf.search("zebu")).reason is Reason.NO_MATCH
