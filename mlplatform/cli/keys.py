"""`mlp keys`: API keys. The secret of a key is printed once, when it is made, and stored nowhere."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from mlplatform.cli.options import Json, Roles, Tenant, read_duration, read_roles
from mlplatform.cli.owner import err, operator, out, run_as_owner

if TYPE_CHECKING:
    from mlplatform.auth.api_keys import ApiKey
    from mlplatform.auth.issuer import IssuedKey

app = typer.Typer(help="API keys: create, list, revoke, rotate.", no_args_is_help=True)

NEVER = "never"

Prefix = Annotated[str, typer.Argument(help="The key, as mlp keys list names it.")]
Ttl = Annotated[str, typer.Option("--ttl", help="How long the key works, such as 12h or 90d, or never to end it.")]


@app.command()
def create(
    *,
    role: Roles,
    tenant: Tenant = "default",
    name: Annotated[str, typer.Option("--name", help="What you call the key: the program that uses it.")] = "unnamed",
    ttl: Ttl = "90d",
    as_json: Json = False,
) -> None:
    """Make a key and print it, once."""
    from mlplatform.auth.issuer import KeyIssuer  # noqa: PLC0415 - loads psycopg, and `mlp --help` must answer at once

    roles, lifetime = read_roles(role), _lifetime(ttl)
    issued = run_as_owner(
        lambda settings, database: KeyIssuer(settings, database).create(
            name=name, tenant=tenant, roles=roles, ttl=lifetime, actor=operator()
        )
    )
    _print_issued(issued, as_json=as_json)


@app.command(name="list")
def list_keys(
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only the keys of this tenant.")] = None,
    as_json: Json = False,
) -> None:
    """List the keys, oldest first."""
    from mlplatform.auth.issuer import KeyIssuer  # noqa: PLC0415 - see create

    keys = run_as_owner(lambda settings, database: KeyIssuer(settings, database).select(tenant))
    if as_json:
        typer.echo(json.dumps([_described(key) for key in keys]))
        return
    table = Table("key", "name", "tenant", "roles", "state", "expires", "last used")
    for key in keys:
        shown = _described(key)
        table.add_row(
            key.prefix,
            key.name,
            key.tenant_id,
            ", ".join(key.roles),
            str(shown["state"]),
            str(shown["expires_at"] or NEVER),
            str(shown["last_used_at"] or NEVER),
        )
    out.print(table)


@app.command()
def revoke(key: Prefix, *, as_json: Json = False) -> None:
    """End a key; services stop accepting it within ten seconds."""
    from mlplatform.auth.issuer import KeyIssuer  # noqa: PLC0415 - see create

    prefix = _prefix(key)
    run_as_owner(lambda settings, database: KeyIssuer(settings, database).revoke(prefix, actor=operator()))
    if as_json:
        typer.echo(json.dumps({"prefix": prefix, "state": "revoked"}))
    else:
        out.print(f"revoked {prefix}", markup=False)


@app.command()
def rotate(
    key: Prefix,
    *,
    ttl: Ttl = "90d",
    overlap: Annotated[str, typer.Option("--overlap", help="How long the old key still works.")] = "1d",
    as_json: Json = False,
) -> None:
    """Replace a key by a fresh one with the same subject, tenant and roles, and print that, once."""
    from mlplatform.auth.issuer import KeyIssuer  # noqa: PLC0415 - see create

    prefix, lifetime, both = _prefix(key), _lifetime(ttl), read_duration("--overlap", overlap)
    issued = run_as_owner(
        lambda settings, database: KeyIssuer(settings, database).rotate(
            prefix, ttl=lifetime, overlap=both, actor=operator()
        )
    )
    _print_issued(issued, as_json=as_json)


def _prefix(key: str) -> str:
    return key.removeprefix("mlk_")


def _lifetime(ttl: str) -> timedelta | None:
    return None if ttl == NEVER else read_duration("--ttl", ttl)


def _print_issued(issued: "IssuedKey", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"key": issued.text, **_described(issued.key)}))
        return
    typer.echo(issued.text)
    err.print("send it as X-API-Key; keep it now, it cannot be shown again")


def _described(key: "ApiKey") -> dict[str, object]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "subject": key.subject,
        "tenant": key.tenant_id,
        "roles": key.roles,
        "state": key.state(datetime.now(UTC)),
        "created_at": key.created_at.isoformat(),
        "created_by": key.created_by,
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
        "last_used_at": None if key.last_used_at is None else key.last_used_at.isoformat(),
        "replaced_by": key.replaced_by,
    }
