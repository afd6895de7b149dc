"""`python -m services.model_serving.probe --model NAME --version V --json` tries a version as serving would run it.

The promotion gate runs it in a process of its own: a model that breaks, hangs or takes all memory does so here.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import orjson
import typer

from services.model_serving.process import prepare_process
from services.model_serving.settings import ServingSettings


def main(
    model: Annotated[str, typer.Option(help="Registered model.")],
    version: Annotated[str, typer.Option(help="Version to try.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Try a version of a model as serving would run it; exit 0 when it can be served, else 1."""
    with _output_kept_clean():
        prepare_process()
        # numpy and skops must be imported as in the serving process, so nothing may import them before the line above.
        from services.model_serving.loading.trial import try_version  # noqa: PLC0415 (the reason is above)

        trial = try_version(ServingSettings(), model, version)
    if json:
        sys.stdout.write(orjson.dumps(asdict(trial)).decode() + "\n")
    else:
        words = f"ok, {trial.predict_ms} ms per prediction" if trial.ok else f"not ok: {trial.reason}"
        sys.stdout.write(f"{model} version {version}: {words}\n")
    raise typer.Exit(0 if trial.ok else 1)


@contextmanager
def _output_kept_clean() -> Iterator[None]:
    """Send what the model prints to standard error, so that the result stands alone on standard output."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


if __name__ == "__main__":
    typer.run(main)
