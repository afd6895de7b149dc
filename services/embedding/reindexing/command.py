"""`scripts/reindex_all.py`."""

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.settings.errors import SettingsError
from mlplatform.spaces import changes
from mlplatform.spaces.busy import GONE
from mlplatform.spaces.errors import SpaceNotFoundError, SpaceNotReadyError
from mlplatform.spaces.probes import PATIENCE
from mlplatform.spaces.repository import list_tenants, set_patience
from mlplatform.spaces.space import Space, SpaceState
from services.embedding.reindexing import repository
from services.embedding.reindexing.errors import (
    DONE,
    LEFT,
    PRECONDITION,
    USAGE,
    NothingNamedError,
    ReindexError,
    StalledError,
)
from services.embedding.reindexing.options import EVERY, Options
from services.embedding.reindexing.stream import StreamReindex
from services.embedding.settings import EmbeddingSettings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def run(options: Options) -> int:
    """Do it, and return the exit status; see `errors`."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        settings = EmbeddingSettings()
        return asyncio.run(_run(options, settings))
    except ReindexError as error:
        return _refuse(str(error), error.exit_status)
    except (SettingsError, SpaceNotFoundError) as error:
        return _refuse(str(error), USAGE)
    except SpaceNotReadyError as error:
        return _refuse(str(error), PRECONDITION)
    except PlatformError as error:
        return _refuse(error.detail, LEFT)
    except psycopg.Error as error:
        return _refuse(f"Postgres refused: {error}", LEFT)


def _refuse(message: str, status: int) -> int:
    err.print(message, markup=False, style="red")
    return status


async def _run(options: Options, settings: EmbeddingSettings) -> int:
    database = Database(settings.database_url.get_secret_value(), max_size=2, application_name="reindex")
    await database.open()
    try:
        space = await _choose(database, options.space)
        tenants = await _tenants(database, options.tenants)
        before = await _count(database, space, options, tenants)
        with _bar(before, quiet=options.as_json) as progress:
            problem = await _embed(options, database, space, tenants, progress) if before else None
        left = await _count(database, space, options, tenants)
    except GONE:
        await _choose(database, space.id)  # raises when it is retired meanwhile
        raise
    finally:
        await database.close()
    if problem is not None:
        err.print(problem, markup=False, style="red")
    _tell(options, space, before, left)
    return DONE if left == 0 else LEFT


async def _embed(
    options: Options, database: Database, space: Space, tenants: list[str], progress: Callable[[int], None]
) -> str | None:
    """Embed by the engine that was chosen.

    Returns:
        Why not all was done.
    """
    if options.engine == "ray":
        return await _embed_by_actors(options, database, space, tenants, progress)
    stream = StreamReindex(
        database,
        space,
        entity_type=options.entity,
        batch=options.batch_size,
        backlog=options.backlog,
        patience=options.patience,
        progress=progress,
    )
    try:
        await stream.run(tenants)
    except StalledError as error:
        return str(error)
    return None


async def _embed_by_actors(
    options: Options, database: Database, space: Space, tenants: list[str], progress: Callable[[int], None]
) -> str | None:
    try:
        from ray.exceptions import RayError  # noqa: PLC0415 - an extra that only this engine needs

        from services.embedding.reindexing import ray_engine  # noqa: PLC0415 - the same
    except ImportError as error:
        raise ReindexError(
            f"{error.name} is not installed: install ml-platform[ray], or use --engine stream"
        ) from error
    job = f"space-{space.id}-{options.entity or EVERY}"
    shards: list[dict[str, Any]] = []
    for tenant in tenants:
        async with database.transaction(tenant) as connection:
            await set_patience(connection, PATIENCE)
            await repository.plan_shards(connection, job, space.id, options.entity, options.shard_size)
            rows = await repository.list_shards(connection, job)
        shards += [{"tenant": tenant, "shard": row["shard"]} for row in rows if not row["done"]]
    if not shards:
        return None
    try:
        await asyncio.to_thread(ray_engine.run, options, space, job, shards, progress)
    except RayError as error:
        return f"Ray gave up: {error}. A further run goes on."
    return None


async def _choose(database: Database, wanted: int | None) -> Space:
    if wanted is not None:
        named = await changes.find_space(database, wanted)
        if named.space is None:
            raise SpaceNotReadyError(f"space {wanted} is {named.state.value} and has no vectors: see mlp spaces list")
        return named.space
    records = await changes.list_spaces(database)
    for state in (SpaceState.BUILDING, SpaceState.ACTIVE):
        for record in records:
            if record.state is state and record.space is not None:
                return record.space
    raise ReindexError("there is no embedding space yet: start the embedding service")


async def _tenants(database: Database, wanted: tuple[str, ...]) -> list[str]:
    async with database.transaction() as connection:
        known = await list_tenants(connection)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise NothingNamedError(f"there is no tenant {', '.join(unknown)}")
    return list(wanted) or known


async def _count(database: Database, space: Space, options: Options, tenants: list[str]) -> int:
    lacking = 0
    for tenant in tenants:
        async with database.transaction(tenant) as connection:
            await set_patience(connection, PATIENCE)
            lacking += await repository.count_lacking(connection, space.id, options.entity)
    return lacking


@contextmanager
def _bar(total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("embedding"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=quiet) as bars:
        task = bars.add_task("embedding", total=total)
        yield lambda done: bars.advance(task, done)


def _tell(options: Options, space: Space, before: int, left: int) -> None:
    if options.as_json:
        answer = {"space": space.id, "engine": options.engine, "lacked": before, "left": left}
        out.print(json.dumps(answer), markup=False)
        return
    out.print(f"space {space.id}: {before - left:,} of {before:,} items embedded, {left:,} left", markup=False)
    if left:
        out.print("next: the same command again", markup=False)
