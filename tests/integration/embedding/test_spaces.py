"""What the service role may do with spaces, and what the database refuses."""

import psycopg
import pytest

from services.embedding import spaces

DIGEST = "a" * 64


class TestCreate:
    async def test_the_first_space_is_active(self, kernel, space):
        assert await spaces.find_active(kernel.database) == space

    async def test_the_same_weights_have_one_space(self, kernel, space):
        again = await spaces.create(
            kernel.database, model="text-embedder", version="7", digest=DIGEST, dimension=space.dimension
        )

        assert again.id == space.id

    async def test_a_second_space_is_not_active_yet(self, kernel, space):
        other = await spaces.create(kernel.database, model="text-embedder", version="2", digest="b" * 64, dimension=8)

        assert other.id != space.id
        assert await spaces.find_active(kernel.database) == space

    async def test_what_is_no_space_is_refused(self, kernel):
        for model, version, digest, dimension in (
            ("x; DROP TABLE search_items", "1", DIGEST, 8),
            ("text-embedder", "one", DIGEST, 8),
            ("text-embedder", "1", "abc", 8),
            ("text-embedder", "1", DIGEST, 0),
            ("text-embedder", "1", DIGEST, 4001),
        ):
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                await spaces.create(kernel.database, model=model, version=version, digest=digest, dimension=dimension)

    async def test_the_same_weights_with_another_dimension_are_refused(self, kernel, space):
        assert space.dimension != 8
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="dimension"):
            await spaces.create(kernel.database, model="text-embedder", version="1", digest=DIGEST, dimension=8)

    async def test_the_service_role_cannot_make_one_itself(self, kernel):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with kernel.database.transaction() as connection:
                await connection.execute(
                    "INSERT INTO embedding_spaces (model, model_version, digest, dim, state) "
                    "VALUES ('m', '1', 'd', 3, 'active')"
                )

    async def test_every_table_of_items_and_vectors_forces_row_level_security(self, kernel, space):
        async with kernel.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class "
                "WHERE relname IN ('search_items', %s)",
                (f"embeddings_{space.id}",),
            )
            forced = {row["relname"]: row["forced"] for row in await cursor.fetchall()}

        assert forced == {"search_items": True, f"embeddings_{space.id}": True}
