"""The Python code that a model brings along (`code_paths`), kept apart from that of other versions.

MLflow puts a model's `code` folder first on `sys.path` and imports. In a process that holds several versions this mixes
them: `import features` of version 2 finds version 1's module in `sys.modules`. Here each load starts without modules of
those names, and what it imported is taken out of `sys.modules` again; the model keeps its modules alive by itself. A
model that imports its own code only later, inside a function, would find nothing, so such a model is refused.
"""

import importlib
import importlib.metadata
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import mlflow.models.model
from mlflow.models import Model

from services.model_serving.errors import LoadError

_LOADING = threading.RLock()
_ENTRY_MODULE = "code_model_"
"""MLflow's name of the module that holds a models-from-code script, followed by random digits."""


def bundled_modules(folder: Path, model: Model) -> frozenset[str]:
    """List the top-level modules that a model brings along.

    Raises:
        LoadError: one of them has the name of an installed package, so that it is not clear which one is meant.
    """
    names: set[str] = set()
    for conf in model.flavors.values():
        if code := conf.get("code"):
            names |= {entry.stem for entry in (folder / code).iterdir() if entry.is_dir() or entry.suffix == ".py"}
    names.discard("__pycache__")
    if taken := sorted(names & (sys.stdlib_module_names | _installed())):
        raise LoadError(
            f"The model's code_paths hold {', '.join(taken)}, which is also an installed package. Rename it in the "
            "training code, or leave it out of code_paths."
        )
    return frozenset(names)


@contextmanager
def isolated(names: frozenset[str]) -> Iterator[None]:
    """Hold the lock of all loads, with a clean slate for modules of these names."""
    with _LOADING:
        path, cached = sys.path, sys.dont_write_bytecode
        aside = {name: sys.modules.pop(name) for name in list(sys.modules) if _belongs(name, names)}
        sys.path = list(path)
        sys.dont_write_bytecode = True  # a compiled file inside the artifacts would change their digest
        importlib.invalidate_caches()
        _forget_last_model()
        try:
            yield
        finally:
            for name in list(sys.modules):
                if _belongs(name, names) or name.startswith(_ENTRY_MODULE):
                    del sys.modules[name]
            sys.modules.update(aside)
            sys.path, sys.dont_write_bytecode = path, cached
            _forget_last_model()


def late_import(error: BaseException, names: frozenset[str]) -> LoadError | None:
    """Say that a model imports its own code too late, if that is what an error means."""
    if isinstance(error, ModuleNotFoundError) and error.name and _belongs(error.name, names):
        return LoadError(
            f"The model imports its own module {error.name!r} inside a function. Move the import to the top of the "
            "file: versions of a model are kept apart by importing their code only while they are loaded."
        )
    return None


def _belongs(module: str, names: frozenset[str]) -> bool:
    return module.partition(".")[0] in names


def _forget_last_model() -> None:
    """Clear the global in which MLflow leaves the last models-from-code model.

    A script that forgets `set_model` would be served as the model loaded before it, and that one would stay in memory.
    """
    mlflow.models.model.__mlflow_model__ = None


@cache
def _installed() -> frozenset[str]:
    return frozenset(importlib.metadata.packages_distributions())
