"""Options that several commands share, and how their values are read."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mlplatform.cli.owner import USAGE, fail

if TYPE_CHECKING:
    from mlplatform.auth import Role

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Roles = Annotated[
    list[str], typer.Option("--role", help="viewer, user, publisher, ml_admin or service; may be given again.")
]
Tenant = Annotated[str, typer.Option("--tenant", help="The tenant that the caller acts for.")]


def read_roles(names: Iterable[str]) -> "frozenset[Role]":
    """The roles of that name; ends the command at an unknown one."""
    from mlplatform.auth.roles import Role  # noqa: PLC0415 - loads FastAPI, and `mlp --help` must answer at once

    known = {role.value: role for role in Role}
    unknown = sorted(set(names) - known.keys())
    if unknown:
        fail(f"--role: there is no role {', '.join(unknown)}; there are: {', '.join(known)}", USAGE)
    return frozenset(known[name] for name in names)


def read_duration(option: str, text: str) -> timedelta:
    """Read `30m`, `12h`, `90d`; ends the command at anything else, and at no time at all."""
    from mlplatform.settings import parsing  # noqa: PLC0415 - loads pydantic, and `mlp --help` must answer at once

    try:
        duration = parsing.read_duration(text)
    except OverflowError:
        duration = None
    if not isinstance(duration, timedelta) or duration < timedelta(seconds=1):
        fail(f"{option}: must be a time such as 30m, 12h or 90d", USAGE)
    return duration
