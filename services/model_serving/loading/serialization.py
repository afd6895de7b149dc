"""Which models may be loaded: none that unpickles, unless the policy names it.

MLflow's own switch, `MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false`, refuses the skops format as well (3.17), because the
types it trusts are listed in the model itself. Here the list is the platform's, so a skops model whose types are all on
it is cleared, and MLflow's switch stays off for everything that was not. The formats of other libraries are judged by
:mod:`.formats`, before the library is even imported.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from mlflow.models import Model
from skops.io import get_untrusted_types

from services.model_serving.errors import UnsafeModelError
from services.model_serving.loading.formats import FILE_CHECKS
from services.model_serving.process import PICKLE_VARIABLE

CODE_LOADERS = frozenset({"mlflow.pyfunc.loaders.code_model", "mlflow.pyfunc.model"})
PICKLES = frozenset({".pkl", ".pickle", ".joblib", ".cloudpickle"})


class SerializationPolicy:
    """Decides whether a model's files are safe to load.

    Args:
        allow_pickle: names of models that may unpickle.
        trusted_types: patterns of the types that a skops file may hold besides skops' own.
    """

    def __init__(self, *, allow_pickle: tuple[str, ...], trusted_types: tuple[str, ...]) -> None:
        self._allow_pickle = frozenset(allow_pickle)
        self._trusted_types = trusted_types

    def clear(self, name: str, folder: Path, model: Model, bundled: frozenset[str]) -> bool:
        """Say whether MLflow's switch must be on to load this model.

        Args:
            name: the registered model.
            folder: its artifacts.
            model: the content of its `MLmodel` file.
            bundled: top-level modules in the model's own code, which run when it is loaded in any case.

        Raises:
            UnsafeModelError: it would unpickle, or holds types that the policy does not trust.
        """
        if name in self._allow_pickle:
            return True
        function = model.flavors.get("python_function", {})
        loader = str(function.get("loader_module", ""))
        if loader in CODE_LOADERS:
            if "model_code_path" not in function:
                raise UnsafeModelError(_advice(name, "is a pickled Python object; log it as models-from-code"))
            return False
        package, _, flavor = loader.rpartition(".")
        native = model.flavors.get(flavor, {})
        files = _files(folder, function, native)
        if any(file.suffix in PICKLES for file in files):
            raise UnsafeModelError(_advice(name, "is pickled; log it with serialization_format='skops'"))
        if package == "mlflow" and flavor in {"sklearn", "lightgbm"}:
            return self._clear_skops(name, native, files, bundled)
        if package == "mlflow" and flavor in FILE_CHECKS:
            if fault := FILE_CHECKS[flavor](folder, function, native):
                raise UnsafeModelError(_advice(name, fault))
        elif loader.partition(".")[0] not in bundled:
            raise UnsafeModelError(_advice(name, f"is loaded by {loader}, which is not known to be safe"))
        return False

    def _clear_skops(self, name: str, native: dict[str, Any], files: list[Path], bundled: frozenset[str]) -> bool:
        suspects = [file for file in files if file.suffix == ".skops"]
        if native.get("serialization_format") != "skops" or not suspects:
            return False
        for file in suspects:
            self._check_types(name, file, bundled)
        return True

    def _check_types(self, name: str, file: Path, bundled: frozenset[str]) -> None:
        try:
            types = get_untrusted_types(file=file)
        except (BadZipFile, KeyError, ValueError) as error:
            raise UnsafeModelError(f"{file.name} of model {name!r} is no skops file.") from error
        trusted = [*self._trusted_types, *(f"{module}.*" for module in bundled)]
        unknown = [kind for kind in types if not any(fnmatchcase(kind, pattern) for pattern in trusted)]
        if unknown:
            raise UnsafeModelError(
                f"Model {name!r} holds types that are not trusted: {', '.join(unknown)}. "
                "If they are safe to load, add them to ML_SERVING_TRUSTED_TYPES."
            )


@contextmanager
def unpickling(allowed: bool) -> Iterator[None]:
    """Set MLflow's switch while one model is loaded; the caller holds the lock under which all loads run."""
    before = os.environ.get(PICKLE_VARIABLE)
    os.environ[PICKLE_VARIABLE] = "true" if allowed else "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PICKLE_VARIABLE]
        else:
            os.environ[PICKLE_VARIABLE] = before


def _files(folder: Path, function: dict[str, object], native: dict[str, object]) -> list[Path]:
    """Every file that MLflow could take for the model; all are checked, whichever it takes."""
    named = [function.get("data"), function.get("model_path"), native.get("data"), native.get("pickled_model")]
    root = folder.resolve()
    files = [(folder / str(name)).resolve() for name in named if name]
    if outside := [file for file in files if not file.is_relative_to(root)]:
        raise UnsafeModelError(f"MLmodel names {outside[0].name}, which is outside of the model's folder.")
    return [file for file in files if file.is_file()]


def _advice(name: str, what: str) -> str:
    return f"Model {name!r} {what}. If you trust everyone who may register it, name it in ML_SERVING_ALLOW_PICKLE."
