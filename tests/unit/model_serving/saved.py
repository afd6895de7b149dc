"""Models saved on disk as MLflow lays them out, without a server."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

from mlplatform.registry.registry import Registry
from services.model_serving.engine.loaded_model import LoadedModel, ModelIdentity
from services.model_serving.loading.bundled_code import isolated
from services.model_serving.loading.loader import make_loader
from services.model_serving.settings import ServingSettings

NOWHERE = "http://127.0.0.1:9"
FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
OPTIONS: Mapping[str, Any] = {"pip_requirements": ["mlflow"], "input_example": FRAME}


def save_code(folder: Path, script: str, **modules: str) -> Path:
    """Save a models-from-code script with bundled modules; its `predict` takes columns a and b."""
    with tempfile.TemporaryDirectory() as name:
        entry = Path(name) / "entry.py"
        entry.write_text(dedent(script))
        paths = [Path(name) / f"{module}.py" for module in modules]
        for path in paths:
            path.write_text(dedent(modules[path.stem]))
        with isolated(frozenset(modules)):  # MLflow imports what it saves
            sys.path.insert(0, name)
            mlflow.pyfunc.save_model(
                folder,
                python_model=str(entry),
                code_paths=[str(path) for path in paths] or None,
                signature=infer_signature(FRAME, np.zeros(2)),
                **OPTIONS,
            )
    return folder


def save_sklearn(folder: Path, model: Any, serialization: str = "skops", **options: Any) -> Path:
    """Save a fitted scikit-learn model that takes columns a and b."""
    mlflow.sklearn.save_model(
        model,
        folder,
        serialization_format=serialization,
        signature=infer_signature(FRAME, np.zeros(2)),
        **{**OPTIONS, **options},
    )
    return folder


def load(folder: Path, name: str = "model", version: str = "1", **settings: Any) -> LoadedModel:
    """Load from a folder as serving does."""
    identity = ModelIdentity(name, version, key="key", digest=None, run_id=None)
    loader = make_loader(Registry(NOWHERE), ServingSettings(serving_cache=folder.parent, **settings))
    return loader.open(folder, identity)
