"""`mlp spaces`: changing the embedding model of the index while it is searched."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from mlplatform.cli import spaces_view as view
from mlplatform.cli.options import Json
from mlplatform.cli.owner import FAILED, USAGE, err, fail, load_settings, operator, out, owner_url, run_as_owner

if TYPE_CHECKING:
    from mlplatform.database import Database
    from mlplatform.settings import PlatformSettings
    from mlplatform.spaces.indexes.building import Built
    from mlplatform.spaces.judged import Embed
    from mlplatform.spaces.probes import Probe, Progress
    from mlplatform.spaces.space import Space, SpaceRecord

app = typer.Typer(
    help="The embedding spaces of the index: list, show, create, switch, rollback, reindex, retire.",
    no_args_is_help=True,
)

DEFAULT_MODEL = "text-embedder"
PRECONDITION = 3
"""Exit code when a probe fails or a space is not in a state for it."""
POLL_SECONDS = 0.5

Result = TypeVar("Result")


class Judged(NamedTuple):
    """Judged queries to compare two spaces by.

    Attributes:
        folder: In the layout of BEIR.
        tenant: Whose items they name.
        entity_type: Kind of those items; None for any.
        tolerance: How far nDCG@10 may be below today's.
    """

    folder: Path
    tenant: str
    entity_type: str | None
    tolerance: float


SpaceId = Annotated[int, typer.Argument(help="Number of a space, as `mlp spaces list` has it.")]
Recall = Annotated[float, typer.Option("--recall", min=0, max=1, help="Least recall@10 of its index.")]
AcceptFailures = Annotated[
    bool, typer.Option("--accept-failures", help="Lose the items that the new model cannot take.")
]


@app.command(name="list")
def list_all(
    *,
    retired: Annotated[bool, typer.Option("--all", help="Those that are gone too.")] = False,
    as_json: Json = False,
) -> None:
    """List the spaces, how far each is filled, and whether its index can be searched."""
    from mlplatform.spaces import changes  # noqa: PLC0415 - `mlp --help` must answer at once

    records = _run(lambda _, database: changes.list_spaces(database, retired=retired))
    if as_json:
        typer.echo(json.dumps([record.as_dict() for record in records]))
        return
    view.show_spaces(records)
    out.print(f"next: {_next(records)}", markup=False)


@app.command()
def show(
    space_id: SpaceId,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the filling until it is complete.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to follow at most.")] = 86_400,
    as_json: Json = False,
) -> None:
    """Show a space, and count its items."""
    from mlplatform.spaces import changes, repository  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.spaces.probes import LIVE, PATIENCE  # noqa: PLC0415 - see above

    async def work(_: "PlatformSettings", database: "Database") -> "tuple[SpaceRecord, Any, list[str]]":
        if watch:
            with view.progress(quiet=as_json) as progress:
                await _follow(database, space_id, time.monotonic() + timeout, progress)
        record = await changes.find_space(database, space_id)
        if record.space is None:
            return record, None, []
        async with database.transaction() as connection:
            await repository.set_patience(connection, PATIENCE)
            counted = await repository.count_space(connection, space_id)
            nodes = await repository.list_nodes(connection, LIVE)
        return record, counted, [row["node"] for row in nodes if space_id in row["spaces"]]

    record, counted, nodes = _run(work)
    if as_json:
        typer.echo(json.dumps({**record.as_dict(), "items": counted, "nodes": nodes}))
    else:
        view.show_space(record, counted, nodes)


@app.command()
def create(
    *,
    version: Annotated[str, typer.Option("--version", help="Version of the model, as the registry numbers it.")],
    model: Annotated[str, typer.Option("--model", help="Registered model.")] = DEFAULT_MODEL,
    as_json: Json = False,
) -> None:
    """Ask for a space of a version; a promotion does the same. It takes the place of one that is not complete."""
    from mlplatform.errors import PlatformError  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.registry.registry import Registry  # noqa: PLC0415 - loads MLflow
    from mlplatform.spaces import changes  # noqa: PLC0415 - see above

    try:
        found = Registry(load_settings().mlflow_url).get_version(model, version)
    except PlatformError as error:
        fail(error.detail, FAILED)
    record = _run(lambda _, database: changes.plan(database, model, found.version, operator()))
    if as_json:
        typer.echo(json.dumps(record.as_dict()))
        return
    out.print(f"space {record.id} of version {record.version} is {record.state.value}", markup=False)
    out.print(f"next: mlp spaces show {record.id} --watch", markup=False)


@app.command()
def switch(
    *,
    to: Annotated[int, typer.Option("--to", help="The space to search.")],
    judged: Annotated[
        Path | None,
        typer.Option("--judged", help="Compare nDCG@10 on judged queries (BEIR layout).", exists=True, file_okay=False),
    ] = None,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose items the judgements name.")] = "default",
    entity_type: Annotated[str | None, typer.Option("--entity-type", help="Kind of those items.")] = None,
    tolerance: Annotated[float, typer.Option("--tolerance", help="How far nDCG@10 may be below today's.")] = 0.01,
    recall: Recall = 0.95,
    accept_failures: AcceptFailures = False,
    force: Annotated[bool, typer.Option("--force", help="Switch although recall or nDCG failed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look whether it could be.")] = False,
    as_json: Json = False,
) -> None:
    """Have another space searched from the next query on, when its probes pass. The former one is kept up to date.

    An index that is not there yet is built first.
    """
    from mlplatform.spaces import changes  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.spaces import probes as looks  # noqa: PLC0415 - see above

    async def look(settings: "PlatformSettings", database: "Database", progress: "Progress") -> "list[Probe]":
        await _check_pgvector(database)
        space = await _space(database, to)
        found = [await looks.probe_nodes(database, space)]
        found.append(await looks.probe_coverage(database, space, accept_failures=accept_failures))
        if not all(probe.passed for probe in found):
            return found
        found.append(await _probe_index(settings, database, space, progress, build=not dry_run))
        if found[-1].passed:
            await _analyze(database, to)
            found.append(await looks.probe_recall(database, space, at_least=recall, progress=progress))
            if judged is not None:
                asked = Judged(judged, tenant, entity_type, tolerance)
                async with _embedder(settings) as embed:
                    found.append(await _probe_judged(database, space, asked, embed, progress))
        return found

    async def work(settings: "PlatformSettings", database: "Database") -> "tuple[list[Probe], Any]":
        with view.progress(quiet=as_json) as progress:
            found = await look(settings, database, progress)
        if dry_run or not all(probe.passed or (force and probe.name in {"recall", "judged"}) for probe in found):
            return found, None
        return found, await changes.switch(database, to, operator(), accept_failures=accept_failures)

    found, done = _run(work)
    if as_json:
        answer = {"to": to, "switched": done is not None, "former": getattr(done, "former", None)}
        typer.echo(json.dumps({**answer, "probes": [probe.as_dict() for probe in found]}))
    else:
        view.show_probes(found)
        if done is not None:
            out.print(f"space {to} is searched; space {done.former} is kept up to date", markup=False)
            out.print(f"next: mlp spaces rollback, or in some days mlp spaces retire {done.former}", markup=False)
    if done is None and not (dry_run and all(probe.passed for probe in found)):
        raise typer.Exit(PRECONDITION)


@app.command()
def rollback(*, as_json: Json = False) -> None:
    """Have the former space searched again. Items that its model could not take are lost to it, as they were."""
    from mlplatform.spaces import changes  # noqa: PLC0415 - `mlp --help` must answer at once

    async def work(_: "PlatformSettings", database: "Database") -> Any:  # noqa: ANN401 (a pair of what is printed)
        former = await changes.former_space(database)
        return former, await changes.switch(database, former.id, operator(), accept_failures=True)

    former, done = _run(work)
    if as_json:
        typer.echo(json.dumps({"to": former.id, "switched": True, "former": done.former, "lost": done.lost}))
        return
    out.print(f"space {former.id} (version {former.version}) is searched again", markup=False)
    if done.lost:
        out.print(f"{done.lost:,} items cannot be embedded by its model and are not found by vectors", markup=False)


@app.command()
def reindex(
    space_id: Annotated[int | None, typer.Argument(help="Number of a space. Default: the one searched.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Build the index of a space anew, or for the first time, while it is searched and written.

    ML_INDEX_MEMORY and ML_INDEX_WORKERS say what that may take. It may be broken off at any time.
    """
    from mlplatform.spaces import changes  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.spaces.errors import SpaceNotReadyError  # noqa: PLC0415 - see above

    async def work(settings: "PlatformSettings", database: "Database") -> "tuple[Space, Built]":
        if space_id is None:
            records = await changes.list_spaces(database)
            chosen = next((record.space for record in records if record.state.value == "active"), None)
        else:
            chosen = (await changes.find_space(database, space_id)).space
        if chosen is None:
            wanted = "no space is searched yet" if space_id is None else f"space {space_id} has no table"
            raise SpaceNotReadyError(f"{wanted}: see mlp spaces list")
        await _check_pgvector(database)
        with view.progress(quiet=as_json) as progress:
            return chosen, await _build(settings, database, chosen, progress)

    space, built = _run(work)
    if as_json:
        typer.echo(json.dumps({"id": space.id, **built.as_dict()}))
        return
    view.show_built(space.id, built)


@app.command()
def retire(
    space_id: SpaceId,
    *,
    force: Annotated[bool, typer.Option("--force", help="Although it was searched until a moment ago.")] = False,
    as_json: Json = False,
) -> None:
    """Drop the vectors of a space that is not searched; embedding nodes free its model."""
    from mlplatform.spaces import changes  # noqa: PLC0415 - `mlp --help` must answer at once

    _run(lambda _, database: changes.retire(database, space_id, operator(), force=force))
    if as_json:
        typer.echo(json.dumps({"id": space_id, "state": "retired"}))
        return
    out.print(f"space {space_id} is gone", markup=False)


def _run(work: "Callable[[PlatformSettings, Database], Awaitable[Result]]") -> Result:
    with _explained():
        return run_as_owner(work)


@contextmanager
def _explained() -> Iterator[None]:
    from mlplatform.retrieval.collection import CollectionError  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.spaces.embedding import EmbeddingRefusedError  # noqa: PLC0415 - see above
    from mlplatform.spaces.errors import SpaceError, SpaceNotFoundError  # noqa: PLC0415 - see above

    try:
        yield
    except SpaceNotFoundError as error:
        fail(str(error), USAGE)
    except SpaceError as error:
        fail(str(error), PRECONDITION)
    except (CollectionError, EmbeddingRefusedError) as error:
        fail(str(error), FAILED)


async def _space(database: "Database", space_id: int) -> "Space":
    from mlplatform.spaces import changes  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.spaces.errors import SpaceNotReadyError  # noqa: PLC0415 - see above

    record = await changes.find_space(database, space_id)
    if record.space is None or record.state.value == "active":
        raise SpaceNotReadyError(f"space {space_id} is {record.state.value}: see mlp spaces list")
    return record.space


async def _build(settings: "PlatformSettings", database: "Database", space: "Space", progress: "Progress") -> "Built":
    from mlplatform.spaces.indexes.building import build_index  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.spaces.indexes.sizing import Limits  # noqa: PLC0415 - see above

    limits = Limits(int(settings.index_memory), settings.index_workers)
    return await build_index(database, owner_url(settings), space, limits, actor=operator(), progress=progress)


async def _probe_index(
    settings: "PlatformSettings", database: "Database", space: "Space", progress: "Progress", *, build: bool
) -> "Probe":
    """Ask whether the index can be searched, and build it first where it cannot."""
    from mlplatform.spaces.probes import probe_index  # noqa: PLC0415 - `mlp --help` must answer at once

    found = await probe_index(database, space)
    if found.passed or not build:
        return found
    await _build(settings, database, space, progress)
    return await probe_index(database, space)


async def _check_pgvector(database: "Database") -> None:
    from mlplatform.spaces.indexes.pgvector import check_pgvector  # noqa: PLC0415 - `mlp --help` must answer at once

    advice = await check_pgvector(database)
    if advice is not None:
        err.print(advice, markup=False, style="yellow")


async def _analyze(database: "Database", space_id: int) -> None:
    from mlplatform.spaces.indexes import repository  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.spaces.probes import PATIENCE  # noqa: PLC0415 - see above
    from mlplatform.spaces.repository import set_patience  # noqa: PLC0415 - see above

    async with database.transaction() as connection:
        await set_patience(connection, PATIENCE)
        await repository.analyze(connection, space_id)


def _embedder(settings: "PlatformSettings") -> "AbstractAsyncContextManager[Embed]":
    from mlplatform.cli.serving_api import credential  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.spaces.embedding import embedder  # noqa: PLC0415 - see above

    return embedder(str(settings.embedding_url), credential())


async def _probe_judged(
    database: "Database", space: "Space", asked: Judged, embed: "Embed", progress: "Progress"
) -> "Probe":
    from mlplatform.retrieval.collection import read_judgements  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.spaces import changes  # noqa: PLC0415 - see above
    from mlplatform.spaces.judged import probe_judged  # noqa: PLC0415 - see above

    active = next(record.space for record in await changes.list_spaces(database) if record.state.value == "active")
    if active is None:
        fail("no space is searched yet")
    return await probe_judged(
        database,
        space,
        active,
        read_judgements(asked.folder),
        embed,
        tenant=asked.tenant,
        entity_type=asked.entity_type,
        tolerance=asked.tolerance,
        progress=progress,
    )


async def _follow(database: "Database", space_id: int, deadline: float, progress: "Progress") -> None:
    """Show the filling of a space until it is complete, stuck, or the time is up."""
    from mlplatform.spaces import changes, repository  # noqa: PLC0415 - `mlp --help` must answer at once

    async with database.transaction() as connection:
        items = await repository.count_items(connection)
    while time.monotonic() < deadline:
        record = await changes.find_space(database, space_id)
        fill = record.fill
        if fill is None or fill.complete_at is not None or fill.problem is not None:
            return
        progress(f"space {space_id}, pass {fill.number}", fill.seen, items)
        await asyncio.sleep(POLL_SECONDS)


def _next(records: "list[SpaceRecord]") -> str:
    for record in records:
        if record.state.value == "building":
            complete = record.fill is not None and record.fill.complete_at is not None
            return f"mlp spaces switch --to {record.id}" if complete else f"mlp spaces show {record.id} --watch"
    for record in records:
        if record.index is not None and record.index.state.value != "valid" and record.index.build is None:
            return f"mlp spaces reindex {record.id}"
    return "python scripts/promote_model.py --model text-embedder --stage Production"
