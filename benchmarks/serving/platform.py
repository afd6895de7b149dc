"""This platform's own service, as an operator starts it, in the configurations that are compared."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import mlflow

from benchmarks.serving.backing import service_settings
from benchmarks.serving.contender import ROOT, Contender, Place
from benchmarks.serving.encodings import BINARY, NATIVE, SPLIT, TENSORS
from benchmarks.serving.processes import Launch
from benchmarks.serving.subjects import LARGE, LINEAR, TREES, Subject, log, train_linear
from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION

NAME = "ml-platform"
EXPERIMENT = "benchmark"
PATHS = {
    SPLIT: "/models/{model}/invocations",
    TENSORS: "/v2/models/{model}/infer",
    BINARY: "/v2/models/{model}/infer",
    NATIVE: "/api/v1/predict",
}
TRACES = "ML_OTLP_ENDPOINT"


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform on a stack.

    Attributes:
        settings: How to reach the stack.
        prefix: Of the names of this run's models, so that other models of the stack are left alone.
    """

    settings: dict[str, str]
    prefix: str = field(default_factory=lambda: f"bench-{uuid4().hex[:8]}")

    @property
    def registry(self) -> Registry:
        """The stack's registry."""
        return Registry(self.settings["ML_MLFLOW_URL"])

    def name(self, part: str) -> str:
        """Return the name of one of this run's models."""
        return f"{self.prefix}-{part}".lower().replace(" ", "-")

    def publish(self, subjects: Sequence[Subject]) -> dict[str, str]:
        """Register models and put them in production; return their registered names by their own."""
        self._prepare()
        for subject in subjects:
            self._register(self.name(subject.name), log(subject, name="model").model_uri)
        return {subject.name: self.name(subject.name) for subject in subjects}

    def publish_many(self, subject: Subject, count: int) -> dict[str, str]:
        """Register as many models like the one given, each trained differently; return their names by number."""
        self._prepare()
        names = {}
        for number in range(1, count + 1):
            other = Subject(
                subject.name,
                train_linear(1 + number / count),
                subject.columns,
                subject.inputs,
                subject.expected,
                Path(),
            )
            names[str(number)] = self.name(f"many-{number:02}")
            self._register(names[str(number)], log(other, name="model").model_uri)
        return names

    def contender(self, title: str, names: Mapping[str, str], words: str, **changes: str | None) -> Contender:
        """Describe the service in one configuration.

        Args:
            title: What reports call it.
            names: Registered names of the models that it serves, by their own.
            words: The configuration in words.
            changes: Settings on top of the stack's; None takes one away.
        """
        subjects = tuple(name for name in (LINEAR, TREES, LARGE) if name in names)
        return Contender(title, NAME, words, PATHS, self._launch(title, names, changes), None, subjects, names)

    def clean(self) -> None:
        """Delete this run's models."""
        client = mlflow.MlflowClient(self.settings["ML_MLFLOW_URL"])
        for model in client.search_registered_models(f"name LIKE '{self.prefix}%'", max_results=1000):
            client.delete_registered_model(model.name)

    def _prepare(self) -> None:
        mlflow.set_tracking_uri(self.settings["ML_MLFLOW_URL"])
        mlflow.set_experiment(EXPERIMENT)

    def _register(self, name: str, uri: str) -> None:
        version = register_model_version(self.registry, name, uri)
        self.registry.set_alias(name, PRODUCTION, version.version)

    def _launch(
        self, title: str, names: Mapping[str, str], changes: Mapping[str, str | None]
    ) -> Callable[[Place], Launch]:
        def launch(place: Place) -> Launch:
            values: dict[str, str | None] = {
                **service_settings(self.settings),
                "ML_HOME": str(place.folder / title.replace(" ", "-")),
                "ML_SERVING_PORT": str(place.port),
                "ML_SERVING_MODELS": ",".join(names.values()),
                **changes,
            }
            variables = {name: value for name, value in values.items() if value is not None}
            return Launch([sys.executable, "-m", "services.model_serving"], variables, ROOT)

        return launch
