"""`mlp models`: registering models that were made elsewhere."""

import json
import os
from typing import Annotated

import typer

from mlplatform.cli.options import Json
from mlplatform.cli.owner import FAILED, err, fail, load_settings, out

app = typer.Typer(help="The registry: register-embedder, register-reranker.", no_args_is_help=True)

DEFAULT = "text-embedder"
"""The model that the embedding service serves."""
RERANKER = "text-reranker"
"""The model that it re-ranks with."""


@app.callback()
def models() -> None:
    """The registry: register-embedder, register-reranker."""


@app.command(name="register-embedder")
def register_embedder(
    source: Annotated[
        str, typer.Argument(metavar="PATH_OR_HUB_ID", help="A folder of sentence-transformers, or an id of a hub.")
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="The registered model that it becomes a version of.")] = DEFAULT,
    revision: Annotated[str | None, typer.Option("--revision", help="Of the hub; default: its newest.")] = None,
    description: Annotated[str | None, typer.Option("--description", help="Of the version.")] = None,
    as_json: Json = False,
) -> None:
    """Register an embedding model. Its weights must be safetensors, and no code of its own is ever run."""
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # standard output may be a JSON document
    try:
        from mlplatform.embedders.publishing import publish  # noqa: PLC0415 - loads PyTorch and MLflow
        from mlplatform.embedders.source import opened  # noqa: PLC0415 - loads the client of a hub
    except ImportError as error:
        fail(f"{error.name} is not installed: install ml-platform[embedding]")
    from mlplatform.embedders.errors import EmbedderError  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.errors import PlatformError  # noqa: PLC0415 - see above
    from mlplatform.registry.registry import Registry  # noqa: PLC0415 - loads MLflow

    try:
        with err.status("reading the model"), opened(source, revision) as folder:
            metadata = {"source": source} | ({"revision": revision} if revision else {})
            version, dimension, weights = publish(
                Registry(load_settings().mlflow_url),
                name,
                folder,
                metadata=metadata,
                description=description or source,
            )
    except EmbedderError as error:
        fail(f"{source} cannot be registered: {error}", FAILED)
    except PlatformError as error:
        fail(error.detail, FAILED)
    answer = {"model": name, "version": version.version, "dimension": dimension, "weights": weights}
    if as_json:
        typer.echo(json.dumps(answer))
        return
    out.print(f"version {version.version} of {name}: {dimension} dimensions, weights {weights[:19]}", markup=False)
    command = f"python scripts/promote_model.py --model {name} --version {version.version} --stage Production"
    out.print(f"next: {command}", markup=False)


@app.command(name="register-reranker")
def register_reranker(
    source: Annotated[
        str, typer.Argument(metavar="PATH_OR_HUB_ID", help="A folder of a CrossEncoder, or an id of a hub.")
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="The registered model that it becomes a version of.")] = RERANKER,
    revision: Annotated[str | None, typer.Option("--revision", help="Of the hub; default: its newest.")] = None,
    description: Annotated[str | None, typer.Option("--description", help="Of the version.")] = None,
    as_json: Json = False,
) -> None:
    """Register a cross-encoder that re-ranks. Its weights must be safetensors, and no code of its own is ever run."""
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # standard output may be a JSON document
    try:
        from mlplatform.embedders.source import opened  # noqa: PLC0415 - loads the client of a hub
        from mlplatform.rerankers.folder import check_folder  # noqa: PLC0415 - `mlp --help` must answer at once
        from mlplatform.rerankers.publishing import publish  # noqa: PLC0415 - loads PyTorch and MLflow
    except ImportError as error:
        fail(f"{error.name} is not installed: install ml-platform[embedding]")
    from mlplatform.embedders.errors import EmbedderError  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.errors import PlatformError  # noqa: PLC0415 - see above
    from mlplatform.registry.registry import Registry  # noqa: PLC0415 - loads MLflow

    try:
        with err.status("reading the model"), opened(source, revision, check_folder) as folder:
            metadata = {"source": source} | ({"revision": revision} if revision else {})
            version, weights = publish(
                Registry(load_settings().mlflow_url),
                name,
                folder,
                metadata=metadata,
                description=description or source,
            )
    except EmbedderError as error:
        fail(f"{source} cannot be registered: {error}", FAILED)
    except PlatformError as error:
        fail(error.detail, FAILED)
    if as_json:
        typer.echo(json.dumps({"model": name, "version": version.version, "weights": weights}))
        return
    out.print(f"version {version.version} of {name}: weights {weights[:19]}", markup=False)
    command = f"python scripts/promote_model.py --model {name} --version {version.version} --stage Production"
    out.print(f"next: {command}", markup=False)
