"""The models that are served: what is trained, where it is kept, and what it has to answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import mlflow
import numpy as np
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

LINEAR = "logistic regression"
TREES = "LightGBM"
LARGE = "large LightGBM"
ROUNDS = {TREES: 100, LARGE: 10_000}
REQUIREMENTS = ["mlflow"]
"""Given, because MLflow takes seconds to find them out."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A trained model and its data.

    Attributes:
        name: What reports call it.
        model: The trained estimator or booster.
        columns: Names of its inputs, all double.
        inputs: Rows to ask about.
        expected: What the model says of them.
        folder: It as MLflow saves it, for servers that take a folder.
    """

    name: str
    model: Any
    columns: Sequence[str]
    inputs: np.ndarray
    expected: np.ndarray
    folder: Path

    @property
    def estimator(self) -> Path:
        """The model alone, for servers that know nothing of MLflow."""
        return self.folder / "estimator.joblib"

    def rows(self, count: int, start: int = 0) -> list[list[float]]:
        """Return rows of the data, beginning anew where it ends."""
        numbers = np.arange(start, start + count) % len(self.inputs)
        return self.inputs[numbers].tolist()

    def answers(self, count: int, start: int = 0) -> np.ndarray:
        """Return what those rows have to be answered with."""
        return self.expected[np.arange(start, start + count) % len(self.inputs)]


def log(subject: Subject, **where: Any) -> Any:  # noqa: ANN401 - MLflow is not typed
    """Give the model to MLflow: `path=` saves it to a folder, `name=` logs it to the tracking server."""
    frame = _frame().head(2)
    flavor, extra = (
        (mlflow.lightgbm, {})
        if isinstance(subject.model, lightgbm.Booster)
        else (mlflow.sklearn, {"serialization_format": "skops"})
    )
    give = flavor.save_model if "path" in where else flavor.log_model
    signature = infer_signature(frame, subject.expected[:2])
    return give(
        subject.model, signature=signature, input_example=frame, pip_requirements=REQUIREMENTS, **where, **extra
    )


def make_subjects(home: Path) -> dict[str, Subject]:
    """Train the models on scikit-learn's breast cancer table (569 rows, 30 columns) and save them under a folder."""
    booster = _train_trees(load_breast_cancer().target, ROUNDS[TREES], {"objective": "binary"})
    subjects = [
        _save(TREES, booster, home / "trees"),
        _save(LINEAR, train_linear(), home / "linear"),
    ]
    return {subject.name: subject for subject in subjects}


def make_large(home: Path) -> Subject:
    """Train so many trees that a row takes milliseconds, and no fewer in a batch: on noise, which is never learnt."""
    noise = np.random.default_rng(1).normal(size=len(_frame()))
    return _save(
        LARGE, _train_trees(noise, ROUNDS[LARGE], {"min_data_in_leaf": 2, "learning_rate": 0.01}), home / "large"
    )


def train_linear(regularisation: float = 1.0) -> Any:  # noqa: ANN401 - scikit-learn is not typed
    """Train the pipeline of a scaler and a logistic regression."""
    estimator = make_pipeline(StandardScaler(), LogisticRegression(C=1 / regularisation))
    return estimator.fit(_frame(), load_breast_cancer().target)


def _train_trees(labels: np.ndarray, count: int, settings: dict[str, Any]) -> lightgbm.Booster:
    fixed = {"verbosity": -1, "num_threads": 1, "seed": 1}
    return lightgbm.train(fixed | settings, lightgbm.Dataset(_frame(), labels), num_boost_round=count)


def _frame() -> Any:  # noqa: ANN401 - pandas through scikit-learn, which is not typed
    return load_breast_cancer(as_frame=True).data


def _save(name: str, model: Any, folder: Path) -> Subject:  # noqa: ANN401 - an estimator or a booster
    frame = _frame()
    expected = np.asarray(model.predict(frame))
    subject = Subject(name, model, tuple(map(str, frame.columns)), frame.to_numpy(), expected, folder)
    log(subject, path=folder)
    joblib.dump(model, subject.estimator)
    return subject
