from datetime import timedelta

import pytest

from mlplatform.errors import Unprocessable
from services.search.items import Item
from services.search.limits import check_items, check_query, check_wait
from services.search.settings import SearchSettings


@pytest.fixture
def settings() -> SearchSettings:
    return SearchSettings(
        search_items_per_request=3, search_text_characters=10, search_query_characters=10, search_metadata_size=20
    )


class TestCheckItems:
    def test_items_within_the_limits_pass(self, settings):
        check_items([Item("doc", "1", "text"), Item("doc", "2", "text"), Item("other", "1", "text")], settings)

    def test_too_many_items_are_refused(self, settings):
        with pytest.raises(Unprocessable, match="at most 3"):
            check_items([Item("doc", str(number), "text") for number in range(4)], settings)

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            (Item("doc", "1", "text"), "body.items.1.entity_id"),
            (Item("doc", "2", "t" * 11), "body.items.1.text"),
            (Item("doc", "2", "text", {"key": "x" * 20}), "body.items.1.metadata"),
        ],
    )
    def test_a_wrong_item_is_named_by_its_position(self, settings, wrong, field):
        with pytest.raises(Unprocessable) as refusal:
            check_items([Item("doc", "1", "text"), wrong], settings)

        assert [error.field for error in refusal.value.errors] == [field]


class TestCheckQuery:
    def test_a_long_query_is_refused(self, settings):
        with pytest.raises(Unprocessable):
            check_query("q" * 11, settings)

    @pytest.mark.parametrize("query", ["", "\u200b", "\ufeff \u202e"])
    def test_an_empty_query_is_refused(self, settings, query):
        with pytest.raises(Unprocessable):
            check_query(query, settings)


class TestCheckWait:
    def test_a_wait_within_the_limit_is_returned(self, settings):
        assert check_wait(60, settings) == timedelta(seconds=60)

    def test_a_longer_one_is_refused(self, settings):
        with pytest.raises(Unprocessable):
            check_wait(61, settings)
