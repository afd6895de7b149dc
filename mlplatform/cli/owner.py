"""What the commands of the database's owner share: the connection, and how a command fails.

The clients are imported inside the functions, since `mlp --help` must answer at once.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer
from rich.console import Console

if TYPE_CHECKING:
    from mlplatform.database import Database
    from mlplatform.settings import PlatformSettings

# Off a terminal there is no width to fit into, and a shortened key is no key.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False, soft_wrap=True)

FAILED = 1
USAGE = 64

T = TypeVar("T")


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Say what is wrong and end the command."""
    err.print(message, markup=False, style="red")
    raise typer.Exit(status)


def load_settings() -> "PlatformSettings":
    """Read the settings; end the command when they cannot be read or are unsafe."""
    from mlplatform.settings import PlatformSettings  # noqa: PLC0415 - see the module
    from mlplatform.settings.errors import SettingsError  # noqa: PLC0415 - see the module

    try:
        return PlatformSettings()
    except SettingsError as error:
        fail(str(error))


def owner_url(settings: "PlatformSettings") -> str:
    """Where the owner connects to; ends the command when that is unset."""
    if settings.database_owner_url is None:
        fail(
            "ML_DATABASE_OWNER_URL is unset: set it to Postgres as the role that owns the tables, or run mlp up", USAGE
        )
    return settings.database_owner_url.get_secret_value()


def operator() -> str:
    """Who runs the command, as the audit names them."""
    from mlplatform.auth.system_user import system_user  # noqa: PLC0415 - see the module

    return f"operator:{system_user()}"


def run_as_owner(work: "Callable[[PlatformSettings, Database], Awaitable[T]]") -> T:
    """Run `work` on the owner's database; end the command with a message when it fails."""
    settings = load_settings()
    url = owner_url(settings)
    with explained(), _quiet_logs():
        return asyncio.run(_with_database(settings, url, work))


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors that an operator can mend into a message and an exit status."""
    import psycopg  # noqa: PLC0415 - see the module

    from mlplatform.audit.log import AuditReadError  # noqa: PLC0415 - see the module
    from mlplatform.auth.issuer import IssueError  # noqa: PLC0415 - see the module
    from mlplatform.database.schema import MigrationError, SchemaError  # noqa: PLC0415 - see the module
    from mlplatform.errors import DependencyUnavailable  # noqa: PLC0415 - see the module

    try:
        yield
    except (AuditReadError, IssueError, MigrationError, SchemaError) as error:
        fail(str(error))
    except DependencyUnavailable as error:
        fail(f"{error.detail} Is ML_DATABASE_OWNER_URL right?")
    except psycopg.errors.UndefinedTable:
        fail("the database is not migrated: run mlp db upgrade")
    except psycopg.Error as error:
        fail(f"Postgres refused: {error}")


async def _with_database(
    settings: "PlatformSettings", url: str, work: "Callable[[PlatformSettings, Database], Awaitable[T]]"
) -> T:
    from mlplatform.database import Database  # noqa: PLC0415 - see the module

    database = Database(url, max_size=1, application_name="mlp")
    await database.open()
    try:
        return await work(settings, database)
    finally:
        await database.close()


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Keep log lines off standard output, which holds the answer of the command."""
    import structlog  # noqa: PLC0415 - see the module

    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)
