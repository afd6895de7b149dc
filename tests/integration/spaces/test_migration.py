"""What an upgrade makes of the spaces of a release that knew one only."""

from mlplatform.database import migrate
from mlplatform.spaces import changes
from mlplatform.spaces.space import SpaceState

CREATE = "SELECT create_embedding_space('text-embedder', %s, repeat(%s, 64), 8)"


class TestUpgrade:
    async def test_has_the_newest_space_filled_and_drops_those_before_it(self, database_urls, database, owner):
        migrate.downgrade(database_urls.owner, "0012")
        for version in ("1", "2", "3"):
            owner.execute(CREATE, (version, version))

        migrate.upgrade(database_urls.owner)

        records = await changes.list_spaces(database, retired=True)
        assert [record.state for record in records] == [SpaceState.ACTIVE, SpaceState.RETIRED, SpaceState.BUILDING]
        assert [record.fill is not None for record in records] == [False, False, True]
        (former,) = owner.execute("SELECT to_regclass('embeddings_2')").fetchone()
        assert former is None
