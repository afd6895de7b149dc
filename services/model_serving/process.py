"""What must hold for the whole process before numpy and MLflow are imported."""

import importlib
import os
import random
import sys
from collections.abc import MutableMapping
from types import ModuleType

from mlplatform.garbage import collect_seldom

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PICKLE_VARIABLE = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
TORCH_ADAPTER = "sklearn.externals.array_api_compat.torch"


def prepare_process() -> None:
    """Set the defaults of a serving process; what the operator has set is kept, except for two switches.

    A prediction runs on one thread: several run at once, and teams of threads of each would fight for the cores. The
    pickle switch is off for every model that `serialization` has not cleared. Nothing is fetched from a model hub. The
    garbage collector runs seldom: bodies of many lists make no garbage in cycles, and looking through takes as long
    as reading them.
    """
    collect_seldom()
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    os.environ[PICKLE_VARIABLE] = "false"
    for name in OFFLINE_VARIABLES:
        os.environ[name] = "1"
    _import_skops_without_torch()


def after_fork() -> None:
    """Give this process random numbers of its own; those of a fork are its parent's."""
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.seed()


def _import_skops_without_torch() -> None:
    """Import skops, which imports every package of scikit-learn, among them one that imports torch if it is installed.

    That takes a second and 190 MiB for nothing. The walk skips a package that cannot be imported; afterwards it can be.
    """
    modules: MutableMapping[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # None bars an import
    if "skops.io" in modules or TORCH_ADAPTER in modules:
        return
    modules[TORCH_ADAPTER] = None
    importlib.import_module("skops.io")
    del modules[TORCH_ADAPTER]
