"""Changing which space is searched, and what follows from it. Each change is one transaction with its audit event."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import psycopg

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.spaces import repository
from mlplatform.spaces.busy import BUSY
from mlplatform.spaces.errors import SpaceLacksItemsError, SpaceNotFoundError, SpaceNotReadyError
from mlplatform.spaces.probes import PATIENCE
from mlplatform.spaces.space import SpaceRecord, SpaceState

GRACE = timedelta(minutes=1)
"""From a switch until the former space may go: queries that began before it are over by then."""
TRIES = 5

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Switched:
    """What a switch did.

    Attributes:
        former: The space that was searched before.
        lost: Items that are found no more, since the model of the new space cannot take them.
    """

    former: int | None
    lost: int


async def list_spaces(database: Database, *, retired: bool = False) -> list[SpaceRecord]:
    """Return the spaces, the oldest first."""
    async with database.transaction() as connection:
        rows = await repository.list_spaces(connection, retired=retired)
    return [SpaceRecord.of(row) for row in rows]


async def find_space(database: Database, space_id: int) -> SpaceRecord:
    """Return a space, retired or not.

    Raises:
        SpaceNotFoundError: There is none of this number.
    """
    for record in await list_spaces(database, retired=True):
        if record.id == space_id:
            return record
    raise SpaceNotFoundError(space_id)


async def plan(database: Database, model: str, version: str, actor: str) -> SpaceRecord:
    """Ask for a space of a version; the embedding nodes do the rest.

    Returns:
        The space; one that is there already when it was made with that version.
    """

    async def work() -> int:
        async with database.transaction() as connection:
            space_id = await repository.plan_space(connection, model, version, actor)
            await AuditLog(database).record(
                action="space.planned",
                resource=f"space/{space_id}",
                actor=actor,
                detail={"model": model, "version": version},
                connection=connection,
            )
            return space_id

    return await find_space(database, await _insist(work))


async def switch(database: Database, space_id: int, actor: str, *, accept_failures: bool) -> Switched:
    """Search another space from the next query on; the former one is kept up to date.

    Raises:
        SpaceNotReadyError: It lacks items or its index, or is not in a state to be searched.
    """
    try:
        return await _switch(database, space_id, actor, accept_failures=accept_failures)
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise SpaceNotReadyError(_words(error)) from error
    except SpaceLacksItemsError as error:
        if error.lacking:
            async with database.transaction() as connection:
                await repository.reopen_fill(connection, space_id)
        raise


async def _switch(database: Database, space_id: int, actor: str, *, accept_failures: bool) -> Switched:
    async with database.transaction() as connection:
        await repository.set_patience(connection, PATIENCE)
        done = await repository.switch_space(connection, space_id, accept_failures=accept_failures)
        if not done["switched"]:
            raise SpaceLacksItemsError(space_id, done["lacking"], done["failed"])
        await repository.forget_problem(connection, space_id)  # as why it was not switched to before
        detail = {"from": done["former"], "to": space_id, "lost": done["failed"]}
        await AuditLog(database).record(
            action="space.switched",
            resource=f"space/{space_id}",
            actor=actor,
            detail=detail,
            connection=connection,
        )
    return Switched(done["former"], done["failed"])


async def former_space(database: Database) -> SpaceRecord:
    """Return the space that a roll-back goes to: the one that was searched last before the active one.

    Raises:
        SpaceNotReadyError: There is none.
    """
    standby = [record for record in await list_spaces(database) if record.state is SpaceState.STANDBY]
    if not standby:
        raise SpaceNotReadyError("no former space is kept: there is nothing to roll back to")
    return max(standby, key=lambda record: record.changed_at)


async def retire(database: Database, space_id: int, actor: str, *, force: bool) -> None:
    """Drop the vectors of a space that is not searched. Only the owner of the database may.

    Raises:
        SpaceNotReadyError: It is searched, or was until a moment ago.
    """
    record = await find_space(database, space_id)
    age = datetime.now(UTC) - record.changed_at
    if record.state is SpaceState.STANDBY and age < GRACE and not force:
        raise SpaceNotReadyError(
            f"space {space_id} was searched until {age.total_seconds():.0f} s ago, and queries may still use it: "
            f"try again in a minute, or use --force"
        )

    async def work() -> None:
        async with database.transaction() as connection:
            await repository.retire_space(connection, space_id)
            detail = {"model": record.model, "version": record.version, "state": record.state.value}
            await AuditLog(database).record(
                action="space.retired",
                resource=f"space/{space_id}",
                actor=actor,
                detail=detail,
                connection=connection,
            )

    try:
        await _insist(work)
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise SpaceNotReadyError(_words(error)) from error


async def _insist(work: Callable[[], Awaitable[Result]]) -> Result:
    """Try again when a lock on the items was not to be had soon.

    Raises:
        SpaceNotReadyError: It is held for too long.
    """
    for _ in range(TRIES):
        try:
            return await work()
        except BUSY:
            await asyncio.sleep(1)
    raise SpaceNotReadyError(
        "a long transaction holds the items, or the index is being built: try again later, or see pg_stat_activity"
    )


def _words(error: psycopg.Error) -> str:
    message = error.diag.message_primary or str(error)
    return f"{message}: see mlp spaces list"
