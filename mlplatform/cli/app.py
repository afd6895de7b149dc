"""The root of the `mlp` command: one sub-command a file, heavy imports inside them so that `--help` answers at once."""

import typer

from mlplatform.cli import audit, batch, db, keys, models, monitor, search, search_index, spaces, stack, token, traffic

app = typer.Typer(
    name="mlp",
    help="Run and look after the ML platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
stack.register(app)
app.add_typer(db.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(traffic.app, name="traffic")
app.add_typer(monitor.app, name="monitor")
search_index.register(search.app)
app.add_typer(search.app, name="search")
app.add_typer(spaces.app, name="spaces")
app.add_typer(models.app, name="models")
app.add_typer(batch.app, name="batch")
token.register(app)


def main() -> None:
    """Entry point of the console script."""
    app()
