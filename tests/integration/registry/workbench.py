"""Makes versions of one model quickly: MLflow's own `log_model` takes seconds for each."""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import RestException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from mlplatform.registry import tags as tag
from mlplatform.registry.connection import open_client
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry

NUMBERS = Schema([ColSpec(DataType.double, "x")])
SIGNATURE = ModelSignature(NUMBERS, Schema([ColSpec(DataType.double, "y")]))


@dataclass
class Workbench:
    """Where versions of one model are made.

    Attributes:
        registry: Where they are registered.
        name: The model, and the experiment of its runs.
    """

    registry: Registry
    name: str

    @cached_property
    def client(self) -> MlflowClient:
        return open_client(self.registry.tracking_url)

    @cached_property
    def experiment(self) -> str:
        return str(self.client.create_experiment(self.name))

    def log(
        self,
        *,
        signature: ModelSignature | None = SIGNATURE,
        example: bool = True,
        metrics: Mapping[str, float] | None = None,
    ) -> str:
        """Log a model with a run; return its URI."""
        run = self.client.create_run(self.experiment).info.run_id
        for name, value in (metrics or {}).items():
            self.client.log_metric(run, name, value)
        logged = self.client.create_logged_model(self.experiment, name="model", source_run_id=run)
        with tempfile.TemporaryDirectory() as folder:
            model = Model(
                model_id=logged.model_id,
                signature=signature,
                saved_input_example_info={"artifact_path": "input_example.json"} if example else None,
            )
            model.add_flavor("python_function", loader_module="nowhere")
            model.save(str(Path(folder) / "MLmodel"))
            (Path(folder) / "weights").write_text(logged.model_id)
            self.client.log_model_artifacts(logged.model_id, folder)
        self.client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        return f"models:/{logged.model_id}"

    def version(
        self,
        *,
        signature: ModelSignature | None = SIGNATURE,
        example: bool = True,
        metrics: Mapping[str, float] | None = None,
        evaluated_on: str | None = None,
        tags: Mapping[str, str] | None = None,
        model_tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Register a new version."""
        uri = self.log(signature=signature, example=example, metrics=metrics)
        evaluation = {} if evaluated_on is None else {tag.EVALUATION_DIGEST: evaluated_on}
        return register_model_version(
            self.registry, self.name, uri, tags={**evaluation, **(tags or {})}, model_tags=model_tags
        )

    def tamper(self, version: ModelVersion) -> None:
        """Change the artifacts of a version behind MLflow's back."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "weights").write_text("tampered")
            self.client.log_model_artifacts(str(version.model_id), folder)

    def aliases(self) -> dict[str, str]:
        """Say where the aliases point now."""
        return dict(self.registry.get_model(self.name).aliases)

    def stage(self, version: ModelVersion) -> str:
        """Say what MLflow's stage field of a version holds now."""
        return self.registry.get_version(self.name, version.version).stage

    def delete(self) -> None:
        """Delete the model, so that no service loads it, and its runs."""
        with suppress(RestException):  # nothing was registered
            self.client.delete_registered_model(self.name)
        if "experiment" in self.__dict__:
            self.client.delete_experiment(self.experiment)
