"""Queries that hold nothing to look for: each has a refusal that names it, or an empty answer that says why."""

import pytest

from services.search.lexical.leg import Reason
from services.search.query.lexical import REASONS
from tests.integration.search.api import SearchApi, item

NO_UTF8 = [b'{"query": "\xff"}', b'{"query": "caf\xe9"}', '{"query": "apple"}'.encode("utf-16")]
NOTHING = ["", " \n\t", "\x01\x02\x1b", "\x7f\x85", "\u200b", "\ufeff\u202e ", "\u3000"]
NO_WORDS = ["the of and", "AND OR NOT", '"', '""', "& | ! ( ) * :", "+ - ~", '"to be or not to be"', "…!?", "'"]
MODES = ["hybrid", "lexical", "vector"]


@pytest.fixture
async def fruit(api: SearchApi, node) -> SearchApi:
    await api.index_and_wait(item("1", "red apple"), item("2", "green pear"))
    return api


class TestBody:
    @pytest.mark.parametrize("body", NO_UTF8)
    async def test_one_that_is_no_utf_8_is_refused_and_says_so(self, client, api, body):
        headers = {**api.headers, "Content-Type": "application/json"}

        answer = await client.post("/api/v1/search", content=body, headers=headers)

        assert answer.status_code == 400
        assert "UTF-8" in answer.json()["detail"]

    async def test_one_that_says_it_is_in_another_encoding_is_refused(self, client, api):
        headers = {**api.headers, "Content-Type": "application/json; charset=latin-1"}

        answer = await client.post("/api/v1/search", content=b'{"query": "caf\xe9"}', headers=headers)

        assert (answer.status_code, "UTF-8" in answer.json()["detail"]) == (415, True)


class TestQuery:
    @pytest.mark.parametrize("query", NOTHING)
    async def test_without_content_it_is_refused_by_name(self, api, query):
        for mode in MODES:
            answer = await api.search(query, mode=mode)

            (error,) = answer.json()["errors"]
            assert (answer.status_code, error["field"]) == (422, "body.query")
            assert error["message"] == "holds only white space and control characters"

    async def test_without_words_the_words_find_nothing_and_say_why(self, fruit):
        for query in NO_WORDS:
            answer = (await fruit.search(query, mode="lexical")).json()

            assert (answer["results"], answer["degraded"], answer["complete"]) == ([], [], True), query
            assert REASONS[Reason.NO_WORDS] in answer["reason"], query

    async def test_without_words_the_vectors_answer_alone_and_it_says_so(self, fruit):
        for query in NO_WORDS:
            answer = (await fruit.search(query)).json()

            assert (len(answer["results"]), answer["degraded"]) == (2, []), query
            assert REASONS[Reason.NO_WORDS] in answer["reason"], query
