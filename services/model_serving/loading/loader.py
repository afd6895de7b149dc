"""From a version in the registry to a model in memory, warm."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import mlflow.pyfunc
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel

from mlplatform.registry import tags as tag
from mlplatform.registry.cache import ArtifactCache, Lease
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry, cache_key
from services.model_serving.engine.loaded_model import LoadedModel, LoadReport, ModelIdentity
from services.model_serving.errors import LoadError
from services.model_serving.flavors import choose_predict
from services.model_serving.loading.bundled_code import bundled_modules, isolated, late_import
from services.model_serving.loading.example import read_example
from services.model_serving.loading.image_pipelines import is_image_pipeline, open_image_pipeline, refuse_rows
from services.model_serving.loading.media_pipelines import guard
from services.model_serving.loading.memory import memory_of
from services.model_serving.loading.model_file import PIPELINES, metadata_of, read_model_file
from services.model_serving.loading.serialization import SerializationPolicy, unpickling
from services.model_serving.settings import ServingSettings
from services.model_serving.signature import compile_signature

EXPLAINED = frozenset({"lightgbm", "sklearn", "xgboost"})
"""Libraries whose own objects are kept for explanations."""
ONLY_FILES = "it scores files, and no rows"


class ModelLoader:
    """Downloads, verifies, loads and warms versions. Calls block and may raise whatever a model's code raises.

    Args:
        registry: where versions come from.
        cache: artifacts on disk.
        folder: where they are.
        policy: which models may be loaded.
        max_rows: most rows of one call, which the loaded model enforces.
    """

    def __init__(
        self, registry: Registry, *, cache: ArtifactCache, folder: Path, policy: SerializationPolicy, max_rows: int
    ) -> None:
        self._registry = registry
        self._cache = cache
        self._folder = folder
        self._policy = policy
        self._max_rows = max_rows

    def identify(self, version: ModelVersion) -> ModelIdentity:
        """Say what a load of this version would be a load of."""
        return ModelIdentity(version.name, version.version, cache_key(version), version.digest, version.run_id)

    def load(self, version: ModelVersion) -> LoadedModel:
        """Load a version, from the cache on disk when its bytes are still the recorded ones.

        Raises:
            RegistryUnavailable: MLflow is down.
            LoadError: the model cannot be served; the message is the reason.
        """
        return self.open(self.fetch(version), self.identify(version))

    def fetch(self, source: ModelVersion | ModelIdentity) -> Path:
        """Give the folder with a version's artifacts, verified.

        Args:
            source: what to fetch; an identity stands for a version that was loaded before, and needs no MLflow.

        Raises:
            RegistryUnavailable: they are not on disk and MLflow is down.
            LoadError: what an identity stands for is not on disk, or not what it was.
        """
        if isinstance(source, ModelVersion):
            return self._registry.fetch(source, self._cache)

        def absent(_: Path) -> None:
            raise LoadError("MLflow is down and the artifacts on disk are missing or were changed.")

        return self._cache.fetch(source.key, source.digest, absent)

    def lease(self, key: str) -> Lease:
        """Keep artifacts on disk until the lease is released."""
        return self._cache.lease(key)

    def estimate(self, folder: Path) -> int:
        """Estimate the bytes of memory that the version in a folder would take."""
        return memory_of(None, _size(folder))

    def open(self, folder: Path, identity: ModelIdentity) -> LoadedModel:
        """Load from a folder and predict the input example, so that the first caller finds the model warm.

        Raises:
            LoadError: the model cannot be served; the message is the reason.
        """
        started = time.perf_counter()
        description = read_model_file(folder)
        names = bundled_modules(folder, description)
        signature = compile_signature(description, max_rows=self._max_rows)
        if is_image_pipeline(description):
            return self._open_image_pipeline(folder, identity, description, started)
        example = read_example(folder, description)
        pyfunc = self._load_pyfunc(folder, identity.name, description, names)
        try:
            chosen = choose_predict(pyfunc, signature, example, description, folder)
        except ModuleNotFoundError as error:
            raise late_import(error, names) or error from error
        size = _size(folder)
        report = LoadReport(
            datetime.now(UTC),
            time.perf_counter() - started,
            size,
            chosen.path,
            chosen.flavor,
            chosen.reason,
            chosen.row_wise_reason,
        )
        return LoadedModel(
            identity,
            signature,
            description.signature,
            example,
            chosen.predict,
            report,
            _input_rows(description),
            chosen.row_wise,
            raw=pyfunc.get_raw_model() if chosen.flavor in EXPLAINED else None,
            size=memory_of(chosen.flavor, size),
            refusal=chosen.refusal,
            metadata=metadata_of(description),
            pipeline=pyfunc.get_raw_model() if chosen.flavor == PIPELINES else None,
        )

    def _open_image_pipeline(
        self, folder: Path, identity: ModelIdentity, description: Model, started: float
    ) -> LoadedModel:
        pipeline = open_image_pipeline(identity.name, folder, description)
        size, seconds = _size(folder), time.perf_counter() - started
        return LoadedModel(
            identity,
            compile_signature(description, max_rows=self._max_rows),
            description.signature,
            None,
            refuse_rows,
            LoadReport(datetime.now(UTC), seconds, size, "native", PIPELINES, ONLY_FILES, ONLY_FILES),
            size=memory_of(PIPELINES, size),
            metadata=metadata_of(description),
            pipeline=pipeline,
        )

    def load_reference(self, model: LoadedModel) -> PyFuncModel:
        """Load the same artifacts once more, to be asked as a user of MLflow would."""
        folder = self._folder / model.identity.key / "model"
        description = read_model_file(folder)
        return self._load_pyfunc(folder, model.identity.name, description, bundled_modules(folder, description))

    def _load_pyfunc(self, folder: Path, name: str, description: Model, bundled: frozenset[str]) -> PyFuncModel:
        with isolated(bundled), unpickling(self._policy.clear(name, folder, description, bundled)):
            return guard(mlflow.pyfunc.load_model(str(folder), suppress_warnings=True))


def _input_rows(description: Model) -> int | None:
    rows = (description.metadata or {}).get(tag.INPUT_ROWS)
    return None if rows is None else int(rows)


def _size(folder: Path) -> int:
    """Return the bytes of the files in a folder that others may delete caches from meanwhile."""
    size = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            size += file.stat().st_size if file.is_file() else 0
    return size


def make_loader(registry: Registry, settings: ServingSettings) -> ModelLoader:
    """Make the loader that serving and the probe share."""
    policy = SerializationPolicy(
        allow_pickle=settings.serving_allow_pickle, trusted_types=settings.serving_trusted_types
    )
    return ModelLoader(
        registry,
        cache=ArtifactCache(settings.cache_folder, settings.serving_cache_size),
        folder=settings.cache_folder,
        policy=policy,
        max_rows=settings.serving_max_rows,
    )
