"""`mlp models`: registering models that were made elsewhere."""

from functools import partial
from typing import Annotated

import typer

from mlplatform.classifiers.task import Task
from mlplatform.cli.options import Json
from mlplatform.cli.registration import Description, Revision, installed, register_from, tell

app = typer.Typer(help="The registry: register-embedder, register-reranker, register-classifier.", no_args_is_help=True)

DEFAULT = "text-embedder"
"""The model that the embedding service serves."""
RERANKER = "text-reranker"
"""The model that it re-ranks with."""
SERVING, EMBEDDING = "serving", "embedding"
"""The services that load models."""
SHOWN = 19
"""Characters of a digest that tell it from others."""


@app.callback()
def models() -> None:
    """The registry: register-embedder, register-reranker, register-classifier."""


@app.command(name="register-embedder")
def register_embedder(
    source: Annotated[
        str, typer.Argument(metavar="PATH_OR_HUB_ID", help="A folder of sentence-transformers, or an id of a hub.")
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="The registered model that it becomes a version of.")] = DEFAULT,
    revision: Revision = None,
    description: Description = None,
    as_json: Json = False,
) -> None:
    """Register an embedding model. Its weights must be safetensors, and no code of its own is ever run."""
    with installed("embedding"):
        from mlplatform.embedders.folder import check_folder  # noqa: PLC0415 - `mlp --help` must answer at once
        from mlplatform.embedders.publishing import publish  # noqa: PLC0415 - loads PyTorch and MLflow
        from mlplatform.embedders.registering import KIND  # noqa: PLC0415 - the same

    version, dimension, weights = register_from(
        source,
        revision,
        check_folder,
        lambda registry, folder, metadata: publish(
            registry, name, folder, metadata=metadata, description=description or source
        ),
        name=name,
        service=EMBEDDING,
        kind=KIND,
    )
    facts = {"dimension": dimension, "weights": weights}
    tell(version, facts, f"{dimension} dimensions, weights {weights[:SHOWN]}", as_json=as_json)


@app.command(name="register-reranker")
def register_reranker(
    source: Annotated[
        str, typer.Argument(metavar="PATH_OR_HUB_ID", help="A folder of a CrossEncoder, or an id of a hub.")
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="The registered model that it becomes a version of.")] = RERANKER,
    revision: Revision = None,
    description: Description = None,
    as_json: Json = False,
) -> None:
    """Register a cross-encoder that re-ranks. Its weights must be safetensors, and no code of its own is ever run."""
    with installed("embedding"):
        from mlplatform.rerankers.folder import check_folder  # noqa: PLC0415 - `mlp --help` must answer at once
        from mlplatform.rerankers.publishing import KIND, publish  # noqa: PLC0415 - loads PyTorch and MLflow

    version, weights = register_from(
        source,
        revision,
        check_folder,
        lambda registry, folder, metadata: publish(
            registry, name, folder, metadata=metadata, description=description or source
        ),
        name=name,
        service=EMBEDDING,
        kind=KIND,
    )
    tell(version, {"weights": weights}, f"weights {weights[:SHOWN]}", as_json=as_json)


@app.command(name="register-classifier")
def register_classifier(
    source: Annotated[
        str, typer.Argument(metavar="PATH_OR_HUB_ID", help="A folder of Transformers, or an id of a hub.")
    ],
    *,
    task: Annotated[Task, typer.Option("--task", help="What the model does.")],
    name: Annotated[str, typer.Option("--name", help="The registered model that it becomes a version of.")],
    revision: Revision = None,
    description: Description = None,
    as_json: Json = False,
) -> None:
    """Register a classifier or a detector. Its weights must be safetensors, and no code of its own is ever run."""
    with installed("serving,flavors"):
        from mlplatform.classifiers.folder import check_folder  # noqa: PLC0415 - `mlp --help` must answer at once
        from mlplatform.classifiers.publishing import publish  # noqa: PLC0415 - loads PyTorch and MLflow

    version, labels, weights = register_from(
        source,
        revision,
        partial(check_folder, task=task),
        lambda registry, folder, metadata: publish(
            registry, name, folder, task=task, metadata=metadata, description=description or source
        ),
        name=name,
        service=SERVING,
    )
    facts = {"task": task.value, "labels": labels, "weights": weights}
    tell(version, facts, f"{task}, {len(labels)} classes, weights {weights[:SHOWN]}", as_json=as_json)
