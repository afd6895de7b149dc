"""The models of the run, in the registry."""

from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import Schema, TensorSpec
from sklearn.linear_model import LogisticRegression

from benchmarks.batch.network import CHANNELS, CLASSES, EDGE, make_network
from benchmarks.serving.platform import EXPERIMENT, Platform
from mlplatform.registry import tags as tag
from mlplatform.registry.register import register_model_version
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.batch.scoring.media import IMAGES

COLUMNS = 30
NAMES = tuple(f"x{place}" for place in range(COLUMNS))
SAMPLE = 5_000
SEED = 5


@dataclass(frozen=True, slots=True)
class Published:
    """A model in production.

    Attributes:
        name: In the registry.
        uri: Of what was logged.
    """

    name: str
    uri: str


def publish_rows(platform: Platform) -> Published:
    """Train and register a logistic regression of 30 columns."""
    chance = np.random.default_rng(SEED)
    sample = pd.DataFrame(chance.normal(size=(SAMPLE, COLUMNS)), columns=NAMES)
    model = LogisticRegression().fit(sample, sample.to_numpy() @ chance.normal(size=COLUMNS) > 0)
    _prepare(platform)
    logged = mlflow.sklearn.log_model(
        model,
        name="model",
        serialization_format="skops",
        signature=infer_signature(sample, model.predict(sample)),
        input_example=sample.head(2),
        pip_requirements=["scikit-learn"],
    )
    return _register(platform, "rows", logged)


def publish_images(platform: Platform) -> Published:
    """Register the network as an exported program, as training does."""
    _prepare(platform)
    logged = mlflow.pytorch.log_model(
        make_network(),
        name="model",
        serialization_format="pt2",
        signature=ModelSignature(Schema([TensorSpec(np.dtype(np.uint8), (-1, EDGE, EDGE, CHANNELS))])),
        input_example=np.zeros((2, EDGE, EDGE, CHANNELS), dtype=np.uint8),
        metadata={
            tag.TASK: IMAGES,
            tag.LABELS: [str(place) for place in range(CLASSES)],
            tag.IMAGE: {"width": EDGE, "height": EDGE, "mode": "RGB"},
        },
        pip_requirements=["torch"],
    )
    return _register(platform, "images", logged, {tag.TASK: IMAGES})


def _prepare(platform: Platform) -> None:
    mlflow.set_tracking_uri(platform.settings["ML_MLFLOW_URL"])
    mlflow.set_experiment(EXPERIMENT)


def _register(platform: Platform, part: str, logged: Any, tags: dict[str, str] | None = None) -> Published:  # noqa: ANN401 - MLflow is not typed
    name = platform.name(part)
    version = register_model_version(platform.registry, name, logged.model_uri, tags=tags)
    platform.registry.set_alias(name, PRODUCTION, version.version)
    return Published(name, logged.model_uri)
