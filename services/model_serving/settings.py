"""Settings of the serving service."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ByteSize, Field
from pydantic_settings import NoDecode

from mlplatform.settings.base import Duration
from mlplatform.settings.parsing import split_list
from services.model_serving.batch.settings import BatchSettings
from services.model_serving.machine import memory_limit
from services.model_serving.monitoring.settings import MonitoringSettings

Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]

TRUSTED_TYPES = (
    "collections.OrderedDict",
    "collections.defaultdict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBM*",
    "numpy.dtype",
    "sklearn._loss.*",
    "sklearn.ensemble._hist_gradient_boosting.*",
    "sklearn.tree._tree.Tree",
)


def default_memory(data: dict[str, Any]) -> ByteSize:
    """Return half of the memory there is, divided by the processes."""
    return ByteSize(memory_limit() // 2 // int(data.get("serving_processes", 1)))


class ServingSettings(MonitoringSettings, BatchSettings):
    """What an operator can change about serving."""

    serving_port: Annotated[int, Field(ge=1, le=65535)] = 9005
    """Port of the serving service."""
    serving_models: Annotated[Names, Field(min_length=1)] = ("*",)
    """Models that this process serves; `*` matches any text."""
    serving_default_model: str | None = None
    """Model that `/invocations` scores with. Default: the only one in production."""
    serving_mlflow_compat: bool = False
    """Convert text to numbers and cut off fractions in MLflow's scoring protocol, as its stock server does."""
    serving_cache: Path | None = None
    """Folder of downloaded artifacts. Default: `serving` under ML_HOME."""
    serving_cache_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(20 * 1024**3)
    """Most bytes of artifacts on disk; the least recently used that no process has in memory go first."""
    serving_processes: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that serve on the one port. They share the memory of the models that were in production at start."""
    serving_memory: Annotated[ByteSize, Field(ge=1)] = Field(default_factory=default_memory)
    """Most bytes that the models of one process may take. The least recently used go first, and are loaded again when
    they are asked for. Default: half of the memory of the machine or of its control group, over the processes."""
    serving_pinned: Names = ()
    """Models whose version in production never goes; `*` matches any text."""
    serving_load_wait: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=10)
    """How long a request waits for a model that must be loaded first, before it is answered 503."""
    serving_renew_after: Duration = timedelta(minutes=1)
    """When processes have loaded versions of their own, how long it is until all are replaced by processes that share
    them again. 0 leaves them."""
    serving_poll_interval: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=2)
    """How often the registry is asked which versions are in production; an event of a promotion asks at once."""
    serving_traffic_interval: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(milliseconds=500)
    """How often routing documents and their measurements are exchanged with Postgres; an event exchanges at once."""
    serving_drift_interval: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=10)
    """How often the aliases are compared with the ledger of promotions; two looks in a row raise an alarm."""
    serving_timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=30)
    """How long a prediction may take before the caller is answered 504."""
    serving_threads: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=lambda: os.cpu_count() or 1)
    """Calls of models that run at the same time. Default: as many as there are cores."""
    serving_queue_size: Annotated[int, Field(ge=0)] = 10_000
    """Requests that wait for their models; more are answered 503, but for models that have less than their share of the
    places: those get in up to twice the number. Answered 503 are also requests for a model that is too slow to answer
    all that wait for it within half of ML_SERVING_TIMEOUT."""
    serving_batching: bool = True
    """Whether requests that wait for the same model are scored in one call, where the model allows it."""
    serving_max_batch_rows: Annotated[int, Field(ge=1)] = 1024
    """Most rows of such a call; one request with more is a call of its own."""
    serving_max_rows: Annotated[int, Field(ge=1)] = 10_000
    """Rows that one request may hold."""
    serving_explain_max_rows: Annotated[int, Field(ge=1)] = 100
    """Rows of one request that are explained; more are answered 422."""
    serving_explain_max_columns: Annotated[int, Field(ge=1)] = 1000
    """Columns, times the classes of a classifier of more than two, that are explained; more are answered 422."""
    serving_explain_threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Explanations that run at the same time, on threads of their own."""
    serving_explain_queue_size: Annotated[int, Field(ge=0)] = 16
    """Explanations that wait for a thread; more are answered 503, and predictions go on."""
    serving_explain_timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=10)
    """How long an explanation may take, its wait included, before the caller is answered 504."""
    serving_extra_versions: Annotated[int, Field(ge=0)] = 4
    """Versions outside production that stay in memory as long as there is room, besides those that traffic is routed
    to; the least recently used goes first."""
    serving_allow_pickle: Names = ()
    """Models that may be loaded although loading them unpickles, which can run any code."""
    serving_trusted_types: Names = TRUSTED_TYPES
    """Types that a model in skops format may hold besides those that skops itself trusts; `*` matches any text."""

    @property
    def cache_folder(self) -> Path:
        """Where artifacts are kept on disk."""
        return self.serving_cache or self.home / "serving"
