"""Registers small models in MLflow as training would, and moves their production alias."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import RestException
from redis import Redis

from mlplatform.events import CloudEvent, ModelPromoted
from mlplatform.events.streams import EVENT_FIELD
from mlplatform.registry import tags
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from tests.integration.model_serving.logged import (
    COLUMNS,
    REQUIREMENTS,
    frame_of,
    log_code,
    log_counter,
    log_lightgbm,
    log_linear,
    log_onnx,
    log_wide,
    records_of,
)

__all__ = ["COLUMNS", "REQUIREMENTS", "Publisher", "frame_of", "promotion_of", "records_of"]

CLASSIFIER = """
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            shares = (model_input["a"] * params["scale"]).clip(0, 1)
            return [{"label": "high" if one > 0.5 else "low", "confidence": max(one, 1 - one)} for one in shares]

    set_model(Model())
"""

NOTING = """
    import time
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            with open({notes!r}, "a") as notes:
                # the model is tried with its example too
                notes.writelines(f"{{value:g}}\\n" for value in model_input["a"] if value >= 100)
            time.sleep({seconds} * len(model_input))
            return model_input["a"] * 2

    set_model(Model())
"""

GATED = """
    import os, time
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            for value in model_input["a"]:
                if value < 100:  # the model is tried with its example too
                    continue
                with open(f"{gates}/begun", "a") as begun:
                    begun.write(f"{{value:g}} {{os.getpid()}}\\n")
                while not os.path.exists(f"{gates}/{{value:g}}"):
                    time.sleep(0.01)
            return model_input["a"] * 2

    set_model(Model())
"""


@dataclass(frozen=True)
class Publisher:
    """The registry of one test, and the model it is about.

    Attributes:
        registry: Where versions are registered.
        name: The model.
        listeners: URLs of the Redis of each service that runs; it is told of promotions there.
        digests: Of the versions that were registered.
    """

    registry: Registry
    name: str
    listeners: list[str] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)

    def of(self, name: str) -> "Publisher":
        """Return a publisher of another model to the same services; its name begins with the name of this one."""
        return replace(self, name=f"{self.name}-{name}")

    def linear(
        self, slope: float = 1.0, *, name: str | None = None, served_by: str | None = None, **options: Any
    ) -> ModelVersion:
        """Register `slope * a` as a scikit-learn model, in skops format with an input example unless told."""
        uri = log_linear(self.registry.tracking_url, slope, tuple(options.items()))
        return self.register(uri, name=name, served_by=served_by)

    def wide(self, *, name: str | None = None) -> ModelVersion:
        """Register a booster of more than 1 MB, many times what `linear` takes."""
        return self.register(log_wide(self.registry.tracking_url), name=name)

    def onnx(self, *, name: str | None = None) -> ModelVersion:
        """Register a graph of one node that doubles a tensor of three columns."""
        return self.register(log_onnx(self.registry.tracking_url), name=name)

    def lightgbm(self) -> ModelVersion:
        """Register a LightGBM booster in its native format."""
        return self.register(log_lightgbm(self.registry.tracking_url))

    def noting(self, notes: Path, *, seconds: float) -> ModelVersion:
        """Register a model that takes so long for each row, and adds its `a` from 100 on to a file."""
        return self.code(NOTING.format(notes=str(notes), seconds=seconds))

    def gated(self, gates: Path) -> ModelVersion:
        """Register a model that takes rows with an `a` from 100 on once there is a file of that name in a folder.

        `begun` in it names those that it took up, each with the process.
        """
        gates.mkdir()
        (gates / "begun").touch()
        return self.code(GATED.format(gates=gates))

    def classifier(self) -> ModelVersion:
        """Register a model that says how sure it is: of `high` as `a` times the parameter `scale`, else of `low`."""
        return self.code(CLASSIFIER, params={"scale": 1.0})

    def code(
        self, script: str, *, name: str | None = None, params: dict[str, Any] | None = None, **modules: str
    ) -> ModelVersion:
        """Register a models-from-code script with bundled modules; its `predict` takes the columns of `COLUMNS`.

        Args:
            script: The code.
            name: Of the model.
            params: Parameters that it declares, with their defaults.
            modules: Their code by their name.
        """
        declared = None if params is None else tuple(params.items())
        uri = log_code(self.registry.tracking_url, script, declared, tuple(modules.items()))
        return self.register(uri, name=name)

    def counter(self, *, name: str | None = None) -> ModelVersion:
        """Register a model that answers each text with an object: `length`, `share` of the letter a, and `words`."""
        return self.register(log_counter(self.registry.tracking_url), name=name)

    def register(self, uri: str, *, name: str | None = None, served_by: str | None = None) -> ModelVersion:
        """Register a logged model; one that was registered in this process before is not read back once more."""
        model_tags = {} if served_by is None else {tags.SERVED_BY: served_by}
        known = _registered.get(uri)
        if known is None:
            version = register_model_version(self.registry, name or self.name, uri, model_tags=model_tags)
            _registered[uri] = version
        else:
            version = self._register_again(known, uri, name or self.name, model_tags)
        self.digests.add(str(version.digest))
        return version

    def point(self, version: ModelVersion) -> None:
        """Point the production alias at a version and tell nobody."""
        self.registry.set_alias(version.name, PRODUCTION, version.version)

    def promote(self, version: ModelVersion) -> None:
        """Point the production alias at a version, and tell of it as a promotion does."""
        self.point(version)
        event = {EVENT_FIELD: promotion_of(version).model_dump_json()}
        for url in self.listeners:
            with Redis.from_url(url) as redis:
                redis.xadd(ModelPromoted.event_type, event)

    @contextmanager
    def telling(self, redis_url: str) -> Iterator[None]:
        """Tell a service of promotions for the time of the block.

        Args:
            redis_url: Where it listens.
        """
        self.listeners.append(redis_url)
        try:
            yield
        finally:
            self.listeners.remove(redis_url)

    def pyfunc(self, version: ModelVersion, data: Any) -> Any:
        """Ask MLflow itself."""
        return mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}").predict(data)

    def _register_again(self, known: ModelVersion, uri: str, name: str, model_tags: dict[str, str]) -> ModelVersion:
        client = mlflow.MlflowClient(self.registry.tracking_url, self.registry.tracking_url)
        try:
            client.create_registered_model(name)
        except RestException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        for key, value in model_tags.items():
            client.set_registered_model_tag(name, key, value)
        made = client.create_model_version(
            name, uri, run_id=known.run_id, tags=dict(known.tags), model_id=known.model_id
        )
        return self.registry.get_version(name, str(made.version))


_registered: dict[str, ModelVersion] = {}
"""By the URI of its logged model, a version whose artifacts were read back and digested."""


def promotion_of(version: ModelVersion) -> CloudEvent:
    """Return the event of a promotion to Production."""
    promotion = ModelPromoted(
        model=version.name,
        stage="Production",
        version=version.version,
        digest=version.digest or "none",
        actor="test",
        promotion_id=1,
    )
    return CloudEvent.of(promotion, source="test")
