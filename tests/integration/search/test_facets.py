import pytest

from tests.integration.search.api import SearchApi, item


@pytest.fixture
async def shop(api, node):
    await api.index_and_wait(
        item("1", "red apple", tags=["fruit", "red", "red"], metadata={"price": 1, "brand": "a", "deep": {"x": 1}}),
        item("2", "red pear", tags=["fruit"], metadata={"price": 1.0, "brand": "b"}),
        item("3", "red car", tags=["toy"], metadata={"price": "1", "sold": True, "brand": "x" * 300}),
    )
    return api


async def facets(api, *names, **more):
    answer = await api.search("red", facets=list(names), **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["facets"]


def counts(facet):
    return {str(value["value"]): value["items"] for value in facet["values"]}


class TestFacets:
    async def test_count_tags_kinds_and_metadata(self, shop):
        found = await facets(shop, "tags", "entity_type", "metadata.brand", "metadata.sold")

        assert counts(found["tags"]) == {"fruit": 2, "red": 1, "toy": 1}
        assert found["tags"]["values"][0] == {"value": "fruit", "items": 2}
        assert counts(found["entity_type"]) == {"doc": 3}
        assert counts(found["metadata.sold"]) == {"True": 1}
        assert counts(found["metadata.brand"]) == {"a": 1, "b": 1}  # no value of 300 characters

    async def test_tell_numbers_from_texts_and_leave_objects_out(self, shop):
        found = await facets(shop, "metadata.price", "metadata.deep", "metadata.unknown")

        assert found["metadata.price"]["values"] == [{"value": 1, "items": 2}, {"value": "1", "items": 1}]
        assert found["metadata.deep"] == found["metadata.unknown"] == {"values": [], "different": 0}

    async def test_count_what_meets_the_filters(self, shop):
        found = await facets(shop, "tags", tags=["fruit"])

        assert counts(found["tags"]) == {"fruit": 2, "red": 1}

    @pytest.mark.usefixtures("shop")
    async def test_are_those_of_the_tenant(self, client, settings):
        other = SearchApi(client, settings, "zeta")

        assert (await facets(other, "tags"))["tags"] == {"values": [], "different": 0}

    @pytest.mark.usefixtures("node")
    async def test_are_bounded(self, api):
        await api.index_and_wait(item("1", "red", tags=[f"t{n:02}" for n in range(64)]))

        found = (await facets(api, "tags"))["tags"]

        assert (len(found["values"]), found["different"]) == (20, 64)

    async def test_nothing_is_counted_unasked(self, shop):
        assert "facets" not in (await shop.search("red")).json()
