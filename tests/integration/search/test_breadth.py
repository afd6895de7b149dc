"""How much of the index the walk of a query keeps in sight."""

import pytest

from services.search.query import vector_repository
from tests.integration.search.api import item

APPLES = 40


@pytest.fixture
def settings(settings):
    """More items than are compared one by one, and ten candidates of each leg."""
    return settings.model_copy(update={"search_exact_rows": 20, "search_page_candidates": 10})


@pytest.fixture
async def orchard(api, node):
    """Many items with one word, and few with another one."""
    texts = [f"apple {key}" for key in range(APPLES)] + ["pear", "pear tree"]
    await api.index_and_wait(*(item(str(key), text, tags=["fruit"]) for key, text in enumerate(texts)))
    return api


@pytest.fixture
def walks(monkeypatch):
    """Whether each walk was told that words propose as much."""
    settings, seen = vector_repository.walk_settings, []

    def note(*given, fused=False):
        seen.append(fused)
        return settings(*given, fused=fused)

    monkeypatch.setattr(vector_repository, "walk_settings", note)
    return seen


@pytest.mark.usefixtures("quick_words")
@pytest.mark.parametrize("conditions", [{}, {"tags": ["fruit"]}], ids=["all", "filtered"])
@pytest.mark.parametrize(
    ("query", "less"),
    [
        ({"query": "apple"}, True),
        ({"query": "apple", "mode": "vector"}, False),
        ({"query": "pear"}, False),
        ({"query": "the and of"}, False),
    ],
    ids=["many have the word", "by vectors alone", "few have the word", "no words"],
)
async def test_it_is_less_only_where_words_propose_as_much(orchard, walks, query, less, conditions):
    answer = (await orchard.search(limit=5, **query, **conditions)).json()

    assert (len(answer["results"]), answer["degraded"]) == (5, [])
    assert walks == [less]
