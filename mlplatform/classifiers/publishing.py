"""A folder with a classifier as a version in the registry, in MLflow's flavor of Transformers. Calls block."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import mlflow.transformers
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema
from transformers import Pipeline

from mlplatform.classifiers.loading import TEXTS, check, encoded_blank, load
from mlplatform.classifiers.task import Task
from mlplatform.embedders.registering import register
from mlplatform.registry import tags as tag
from mlplatform.registry.digest import artifact_digest
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry
from mlplatform.training.provenance import requirements

LIBRARIES = ("mlflow", "pillow", "torch", "transformers")
CLASSES = (ColSpec("string", "label"), ColSpec("double", "score"))
BOXES = (*CLASSES, *(ColSpec("long", side) for side in ("xmin", "ymin", "xmax", "ymax")))
LICENSE = "LICENSE.txt"


class Published(NamedTuple):
    """A registered classifier.

    Attributes:
        version: In the registry.
        labels: Names of its classes.
        weights: Digest of the model's own files.
    """

    version: ModelVersion
    labels: tuple[str, ...]
    weights: str


def publish(
    registry: Registry, name: str, folder: Path, *, task: Task, metadata: Mapping[str, str], description: str
) -> Published:
    """Load a model once, have it answer, and register it.

    Args:
        registry: Where to.
        name: The registered model that it becomes a version of; made when missing.
        folder: The model and nothing else, checked, as `embedders.source.opened` yields it.
        task: What it does.
        metadata: What else is known of the model.
        description: Of the version.

    Raises:
        EmbedderError: It does not load or answer, or its scores are of no use.
        RegistryUnavailable: MLflow is down.
    """
    loaded = load(folder, task)
    check(loaded, task)
    version = register(
        registry,
        name,
        lambda target, model_id, location: write(loaded, task, target, Model(location, model_id=model_id), metadata),
        description=description,
        kind=task.value,
        served_by=None,
        tags={tag.TASK: task.value},
    )
    labels = tuple((loaded.model.config.id2label or {}).values())
    return Published(version, labels, artifact_digest(folder))


def write(loaded: Pipeline, task: Task, folder: Path, described: Model, metadata: Mapping[str, str]) -> None:
    """Write a pipeline as MLflow lays it out, with what a promotion asks of a model: a signature and an example.

    Args:
        loaded: The pipeline.
        task: What it does.
        folder: An empty folder.
        described: The logged model that the artifacts belong to.
        metadata: What else is known of the model.
    """
    loaded.model.name_or_path = ""  # of a scratch folder; MLflow asks a hub about a name
    with _quiet():
        mlflow.transformers.save_model(
            loaded,
            str(folder),
            mlflow_model=described,
            signature=ModelSignature(
                Schema([ColSpec("string")]), Schema([*(BOXES if task is Task.OBJECTS else CLASSES)])
            ),
            input_example=[TEXTS[0] if task is Task.TEXTS else encoded_blank()],
            metadata=dict(metadata),
            pip_requirements=requirements(*LIBRARIES),
        )
    (folder / LICENSE).unlink(missing_ok=True)  # MLflow's, which says that it found none


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow from saying that it found no card and no license on a hub, which it was not to ask."""
    log = logging.getLogger("mlflow")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
