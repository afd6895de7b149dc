"""Databases to migrate and pools to use."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from mlplatform.database import Database
from tests.fixtures.database import DatabaseUrls, conninfo_user, with_database


@pytest.fixture
def empty_database(stack_env: dict[str, str]) -> Iterator[DatabaseUrls]:
    """Yield the URLs of a database without tables, dropped after the test."""
    name = f"test_{uuid4().hex}"
    admin, owner = stack_env["ML_DATABASE_ADMIN_URL"], stack_env["ML_DATABASE_OWNER_URL"]
    with psycopg.connect(admin, autocommit=True) as server:
        create = sql.SQL("CREATE DATABASE {} OWNER {}")
        server.execute(create.format(sql.Identifier(name), sql.Identifier(conninfo_user(owner))))
    with psycopg.connect(with_database(admin, name), autocommit=True) as database:
        database.execute("CREATE EXTENSION IF NOT EXISTS vector")
    yield DatabaseUrls(app=with_database(stack_env["ML_DATABASE_URL"], name), owner=with_database(owner, name))
    with psycopg.connect(admin, autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """Yield an open pool under the services' role, of one connection: what one use leaves, the next would find."""
    pool = Database(database_urls.app, max_size=1)
    await pool.open()
    yield pool
    await pool.close()
