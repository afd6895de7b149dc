"""`mlp token`: a bearer token for this machine."""

from datetime import timedelta
from typing import Annotated

import typer

from mlplatform.cli.options import Roles, Tenant, read_duration, read_roles
from mlplatform.cli.owner import USAGE, fail, load_settings, operator

LONGEST = timedelta(days=1)


def token(
    *,
    role: Roles,
    tenant: Tenant = "default",
    ttl: Annotated[str, typer.Option("--ttl", help="How long it is valid, such as 30m; at most 1d.")] = "1h",
    subject: Annotated[str | None, typer.Option("--subject", help="Who calls; you by default.")] = None,
) -> None:
    """Print a bearer token signed with ML_JWT_SECRET; refused in production."""
    from mlplatform.auth import MintingError, mint_token  # noqa: PLC0415 - loads FastAPI, `mlp --help` must not wait
    from mlplatform.auth.principal import SUBJECT_LENGTH, is_tenant  # noqa: PLC0415 - see above
    from mlplatform.settings import Environment  # noqa: PLC0415 - see above

    roles, lifetime, who = read_roles(role), read_duration("--ttl", ttl), subject or operator()
    if lifetime > LONGEST:
        fail("--ttl: must be at most 1d; for longer use an API key, mlp keys create", USAGE)
    if not is_tenant(tenant):
        fail("--tenant: must be 1 to 63 of a-z, 0-9, - and _", USAGE)
    if len(who) > SUBJECT_LENGTH or not who.isprintable():
        fail(f"--subject: must be 1 to {SUBJECT_LENGTH} printable characters", USAGE)
    settings = load_settings()
    if settings.env is Environment.PRODUCTION:
        fail("mlp token is refused where ML_ENV=production: obtain tokens from your issuer, or use mlp keys create")
    try:
        typer.echo(mint_token(settings, subject=who, tenant=tenant, roles=roles, ttl=lifetime))
    except MintingError as error:
        fail(str(error))


def register(app: typer.Typer) -> None:
    """Add the command to `mlp` itself."""
    app.command()(token)
