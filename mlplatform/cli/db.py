"""`mlp db`: migrations, run by an operator as the owner of the database."""

from typing import Annotated

import typer

from mlplatform.cli.owner import explained, load_settings, out, owner_url, run_as_owner

app = typer.Typer(help="The database schema: upgrade, current, downgrade, check.", no_args_is_help=True)


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="A revision, or head for the newest.")] = "head",
) -> None:
    """Bring the database up to a revision; concurrent calls wait for each other."""
    from mlplatform.database import migrate  # noqa: PLC0415 - loads Alembic, and `mlp --help` must answer at once

    url = owner_url(load_settings())
    with explained():
        migrate.upgrade(url, revision)
        out.print(f"the database is at revision {migrate.current(url)}")


@app.command()
def current() -> None:
    """Print the revision that the database is at."""
    from mlplatform.database import migrate  # noqa: PLC0415 - see upgrade

    url = owner_url(load_settings())
    with explained():
        out.print(migrate.current(url) or "none")


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="A revision, or base, which removes every table of the platform.")],
) -> None:
    """Take the database back to a revision; what later ones stored is lost."""
    from mlplatform.database import migrate  # noqa: PLC0415 - see upgrade

    url = owner_url(load_settings())
    with explained():
        migrate.downgrade(url, revision)
        out.print(f"the database is at revision {migrate.current(url) or 'none'}")


@app.command()
def check() -> None:
    """Check that the database has every migration that this code needs; exits with 1 when it lacks one."""
    from mlplatform.database import check_schema  # noqa: PLC0415 - see upgrade
    from mlplatform.database.schema import expected_revision  # noqa: PLC0415 - see upgrade

    run_as_owner(lambda _, database: check_schema(database))
    out.print(f"the database has every migration up to {expected_revision()}")
