"""What the commands that register a model share.

Libraries are imported inside the functions, since `mlp --help` must answer at once.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mlplatform.cli.owner import FAILED, err, fail, load_settings, out

if TYPE_CHECKING:
    from mlplatform.registry.model_version import ModelVersion
    from mlplatform.registry.registry import Registry

T = TypeVar("T")

Revision = Annotated[str | None, typer.Option("--revision", help="Of the hub; default: its newest.")]
Description = Annotated[str | None, typer.Option("--description", help="Of the version.")]


@contextmanager
def installed(extras: str) -> Iterator[None]:
    """Import libraries within the block; end the command when one is missing.

    Args:
        extras: Of this package, which bring them.
    """
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # standard output may be a JSON document
    try:
        yield
    except ImportError as error:
        fail(f"{error.name} is not installed: install ml-platform[{extras}]")


def hide_bars() -> None:
    """Have Transformers and the client of hubs draw no progress bars where standard error is no terminal."""
    if sys.stderr.isatty():
        return
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415 - see the module

    disable_progress_bar()  # type: ignore[no-untyped-call]  # the library has no types here


def register_from(
    source: str,
    revision: str | None,
    check: Callable[[Path], None],
    publish: "Callable[[Registry, Path, dict[str, str]], T]",
    *,
    name: str,
    service: str,
    kind: str | None = None,
) -> T:
    """Register what a folder or a hub has; end the command with a message when it is refused.

    Args:
        source: A folder, or an id of a hub.
        revision: Of the hub; None for its newest.
        check: Refuses a folder before anything of it is loaded.
        publish: Registers a folder, given what is known of where it comes from.
        name: Of the registered model.
        service: Which is to serve it.
        kind: What that service has it for; None where it has models for one thing only.
    """
    from mlplatform.embedders.errors import EmbedderError  # noqa: PLC0415 - see the module
    from mlplatform.embedders.source import opened  # noqa: PLC0415 - see the module
    from mlplatform.errors import PlatformError  # noqa: PLC0415 - see the module
    from mlplatform.registry.ownership import check_owner  # noqa: PLC0415 - see the module
    from mlplatform.registry.registry import Registry  # noqa: PLC0415 - see the module

    def register(folder: Path) -> T:
        registry = Registry(load_settings().mlflow_url)
        check_owner(registry, name, service, kind)
        return publish(registry, folder, metadata)

    hide_bars()
    metadata = {"source": source} | ({"revision": revision} if revision else {})
    try:
        with err.status("reading the model"), opened(source, revision, check) as folder:
            return register(folder)
    except EmbedderError as error:
        fail(f"{source} cannot be registered: {error}", FAILED)
    except PlatformError as error:
        fail(error.detail, FAILED)


def tell(version: "ModelVersion", facts: Mapping[str, object], summary: str, *, as_json: bool) -> None:
    """Say what was registered, and the command that promotes it.

    Args:
        version: In the registry.
        facts: What the JSON document has besides its name and number.
        summary: The same for people.
        as_json: Whether to print the document.
    """
    if as_json:
        typer.echo(json.dumps({"model": version.name, "version": version.version, **facts}))
        return
    out.print(f"version {version.version} of {version.name}: {summary}", markup=False)
    command = f"python scripts/promote_model.py --model {version.name} --version {version.version} --stage Production"
    out.print(f"next: {command}", markup=False)
