"""Databases and a logical Redis database of the benchmark's own, on a stack that may have others."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
import psycopg
from psycopg import sql
from redis import Redis

from mlplatform.database import migrate

OWNER, APP, ADMIN = "ML_DATABASE_OWNER_URL", "ML_DATABASE_URL", "ML_DATABASE_ADMIN_URL"
MARK = "benchmarks/search: "
UNFINISHED = f"{MARK}unfinished"
REDIS_DATABASES = 16


class DatabaseTakenError(Exception):
    """A database has the name that the benchmark needs, and is not for it to use."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database.

    Attributes:
        name: Its name.
        admin: Its URL as the superuser of the server.
        owner: As the role that owns the tables.
        app: As the role of the services.
    """

    name: str
    admin: str
    owner: str
    app: str

    def mark(self, content: Mapping[str, Any]) -> None:
        """Note what the database is filled with."""
        with psycopg.connect(self.admin, autocommit=True) as connection:
            _comment(connection, self.name, MARK + orjson.dumps(content).decode())

    def content(self) -> dict[str, Any] | None:
        """Return what it was marked with; None when it is not filled."""
        with psycopg.connect(self.admin, autocommit=True) as connection:
            mark = _mark(connection, self.name)
        if mark is None or mark == UNFINISHED:
            return None
        content: dict[str, Any] = orjson.loads(mark.removeprefix(MARK))
        return content

    def versions(self) -> dict[str, str]:
        """Return the versions of Postgres and pgvector."""
        with psycopg.connect(self.admin, autocommit=True) as connection:
            server = connection.execute("SHOW server_version").fetchone()
            extension = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        return {"postgres": server[0].split()[0], "pgvector": extension[0]}


@contextmanager
def database(settings: Mapping[str, str], name: str, *, keep: bool, migrated: bool = True) -> Iterator[Database]:
    """Make a database with pgvector for the time of the block, or go on with one that was kept, which then stays.

    Args:
        settings: Of the stack.
        name: Of the database.
        keep: Whether to leave it when the block ends.
        migrated: Whether it gets the platform's schema, or what of it is newer than a kept one.

    Raises:
        DatabaseTakenError: The benchmark did not make it, or another run is using it.
    """
    found = Database(name, *(_at(settings[url], name) for url in (ADMIN, OWNER, APP)))
    with psycopg.connect(settings[ADMIN], autocommit=True) as server:
        # Held by this session: a run that is killed holds nothing, and what it left unfinished is made anew.
        if not server.execute("SELECT pg_try_advisory_lock(hashtext(%s))", (MARK + name,)).fetchone()[0]:
            raise DatabaseTakenError(f"another run is using the database {name}")
        try:
            kept = _is_kept(server, name)
            if not kept:
                _create(server, found)
            if migrated:
                migrate.upgrade(found.owner)
            try:
                yield found
            finally:
                if not (keep or kept):
                    _drop(server, name)
        finally:
            # Not left to the end of the session, which the server notices only after the next run has asked.
            server.execute("SELECT pg_advisory_unlock(hashtext(%s))", (MARK + name,))


@contextmanager
def redis(url: str) -> Iterator[str]:
    """Yield the URL of a logical database that was empty, and empty it again when the block ends.

    Raises:
        RuntimeError: There is none.
    """
    parts = urlsplit(url)
    for number in reversed(range(1, REDIS_DATABASES)):
        own = urlunsplit(parts._replace(path=f"/{number}"))
        with Redis.from_url(own) as client:
            if client.dbsize():
                continue
            try:
                yield own
            finally:
                client.flushdb()
            return
    raise RuntimeError("every logical database of this Redis has keys in it")


def _create(server: psycopg.Connection, wanted: Database) -> None:
    owner = psycopg.conninfo.conninfo_to_dict(wanted.owner)["user"]
    make = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(wanted.name), sql.Identifier(str(owner)))
    server.execute(make)
    _comment(server, wanted.name, UNFINISHED)
    with psycopg.connect(wanted.admin, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")


def _is_kept(server: psycopg.Connection, name: str) -> bool:
    """Whether there is a filled one; one that a broken-off run left is dropped."""
    exists = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
    if exists is None:
        return False
    mark = _mark(server, name)
    if mark is None or not mark.startswith(MARK):
        raise DatabaseTakenError(f"the database {name} exists, and the benchmark did not make it")
    if mark != UNFINISHED:
        return True
    _drop(server, name)
    return False


def _drop(server: psycopg.Connection, name: str) -> None:
    server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _comment(connection: psycopg.Connection, name: str, text: str) -> None:
    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(text)))


def _mark(connection: psycopg.Connection, name: str) -> str | None:
    row = connection.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
    ).fetchone()
    return None if row is None else row[0]


def _at(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
