"""Queries that are embedded for a probe."""

from mlplatform.spaces.embedding import embedder
from tests.integration.search.embedding_server import DIGEST, serving


class TestEmbedder:
    async def test_queries_have_the_prompt_of_queries_as_those_of_searches_have(self):
        with serving() as server:
            async with embedder(server.url, {}) as embed:
                vectors = await embed(["a cat", "a dog"], DIGEST)

        assert server.asked == [{"texts": ["a cat", "a dog"], "digest": DIGEST, "input_type": "query"}]
        assert len(vectors) == 2
