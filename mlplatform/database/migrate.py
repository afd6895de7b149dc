"""Migrations, run by an operator as the owner of the database and never by a service."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from mlplatform.database.schema import MIGRATIONS, MigrationError


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Bring the database up to `revision`; concurrent calls wait for each other.

    Raises:
        MigrationError: when Postgres does not answer, refuses, or does not grant a lock in time.
    """
    with _explained():
        command.upgrade(_config(owner_url), revision)


def downgrade(owner_url: str, revision: str) -> None:
    """Take the database back to `revision`; `base` removes every table of the platform.

    Raises:
        MigrationError: when Postgres does not answer, refuses, or does not grant a lock in time.
    """
    with _explained():
        command.downgrade(_config(owner_url), revision)


def current(owner_url: str) -> str | None:
    """Return the revision that the database is at; None when it was never migrated.

    Raises:
        MigrationError: when Postgres does not answer.
    """
    with _explained(), owner_engine(owner_url).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def owner_engine(owner_url: str) -> Engine:
    """Make an engine that keeps no connection; libpq itself reads the URL, so every libpq option works."""
    return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(owner_url), poolclass=NullPool)


def _config(owner_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["owner_url"] = owner_url
    return config


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise MigrationError(f"Postgres refused: {error.orig}") from error
    except psycopg.Error as error:
        raise MigrationError(f"Postgres refused: {error}") from error
    except CommandError as error:
        raise MigrationError(str(error)) from error
