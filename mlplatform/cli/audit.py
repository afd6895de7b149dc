"""`mlp audit`: reads and verifies the audit chain."""

import json
from typing import Annotated

import typer
from rich.table import Table

from mlplatform.cli.options import Json
from mlplatform.cli.owner import FAILED, USAGE, err, fail, out, run_as_owner

app = typer.Typer(help="The audit chain: verify, list.", no_args_is_help=True)


@app.command()
def verify(
    *,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="HEAD", help="A head that was printed earlier and kept elsewhere.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Follow the whole chain and print its head; exits with 1 at the first event that does not hold."""
    from mlplatform.audit import AuditLog  # noqa: PLC0415 - loads psycopg, and `mlp --help` must answer at once
    from mlplatform.audit.chain import Head  # noqa: PLC0415 - see above

    try:
        witness = None if expect is None else Head.parse(expect)
    except ValueError:
        fail("--expect: must be a head as mlp audit verify prints it, a number, a colon and 64 digits", USAGE)
    head, broken = run_as_owner(lambda _, database: AuditLog(database).verify(witness))
    if as_json:
        found = None if broken is None else {"id": broken.id, "reason": broken.reason}
        typer.echo(json.dumps({"verified": head.id, "head": str(head), "break": found}))
    elif broken is None:
        out.print(f"{head.id} events hold; head {head}", markup=False)
    else:
        err.print(f"the audit chain is broken: {broken.reason}", markup=False, style="red")
    if broken is not None:
        raise typer.Exit(FAILED)


@app.command(name="list")
def list_events(
    *,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=10_000, help="How many of the newest.")] = 50,
    action: Annotated[str | None, typer.Option("--action", help="Only this action, such as model.promoted.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only the events of this tenant.")] = None,
    as_json: Json = False,
) -> None:
    """List the newest events first."""
    from mlplatform.audit import AuditLog  # noqa: PLC0415 - see verify

    events = run_as_owner(lambda _, database: AuditLog(database).newest(limit=limit, action=action, tenant=tenant))
    if as_json:
        typer.echo(json.dumps(events, default=str))
        return
    table = Table("id", "time", "actor", "tenant", "action", "resource", "outcome", "detail")
    for event in events:
        table.add_row(
            str(event["id"]),
            f"{event['ts']:%Y-%m-%d %H:%M:%S}",
            event["actor"],
            event["tenant"] or "",
            event["action"],
            event["resource"],
            event["outcome"],
            json.dumps(event["detail"]),
        )
    out.print(table)
