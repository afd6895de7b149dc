from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from mlplatform.database import Database
from services.search.lexical import LexicalMaintenance
from tests.fixtures.database import DatabaseUrls
from tests.integration.search.lexical.shelf import Shelf


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    pool = Database(database_urls.app, max_size=4)
    await pool.open()
    yield pool
    await pool.close()


@pytest.fixture
def maintenance(database: Database) -> LexicalMaintenance:
    return LexicalMaintenance(database, interval=timedelta(seconds=0.05))


@pytest.fixture
def shelf(database: Database) -> Shelf:
    """The items of the tenant `acme`."""
    return Shelf(database, "acme")


@pytest.fixture
def other(database: Database) -> Shelf:
    """The items of the tenant `zeta`."""
    return Shelf(database, "zeta")
