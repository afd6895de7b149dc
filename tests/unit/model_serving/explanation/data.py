"""Small training data, and models of it as serving has them in memory."""

import warnings
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import Model, infer_signature

from mlplatform.monitoring.profile import Profile
from services.model_serving.engine.loaded_model import LoadedModel, LoadReport, ModelIdentity
from services.model_serving.explanation.deadline import Deadline
from services.model_serving.explanation.explainers import make_explainer
from services.model_serving.explanation.explanation import Explanation
from services.model_serving.loading.example import InputExample
from services.model_serving.signature import compile_signature

NUMBERS = pd.DataFrame(np.random.default_rng(1).normal(size=(200, 4)), columns=list("abcd"))
TARGET = (NUMBERS["a"] * 2 + NUMBERS["b"] * NUMBERS["c"] + np.sin(3 * NUMBERS["d"])).to_numpy()
CLASSES = np.where(TARGET < -1, "low", np.where(TARGET < 1, "middle", "high"))
TWO_CLASSES = np.where(TARGET < 0, "no", "yes")
ROWS = NUMBERS[:5]
KINDS = np.random.default_rng(2).choice(["red", "green", "blue"], size=200)
MIXED = NUMBERS.assign(b=KINDS)
MIXED_TARGET = TARGET + 3 * (KINDS == "red")
MIXED_ROWS = MIXED[:5]


def loaded(raw: Any, example: pd.DataFrame | None = ROWS, table: pd.DataFrame = NUMBERS) -> LoadedModel:
    """Return a model in memory that takes the columns of a table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # MLflow's advice on columns of integers
        declared = infer_signature(table)
    inputs = None if example is None else InputExample(example.to_dict("records"), {})
    return LoadedModel(
        ModelIdentity("model", "1", key="key", digest=None, run_id=None),
        compile_signature(Model(signature=declared), max_rows=1000),
        declared,
        inputs,
        lambda given, _: raw.predict(given.data),
        LoadReport(datetime.now(UTC), seconds=0.0, size=0, path="native"),
        raw=raw,
    )


def explain(raw: Any, rows: Any = ROWS, *, profile: Profile | None = None, **options: Any) -> Explanation:
    """Explain rows with a model that was never asked before."""
    return make_explainer(loaded(raw, **options), lambda: profile).explain(rows, Deadline.after(60))


def total(explanation: Explanation) -> Any:
    """Return base values plus contributions, (rows, outputs)."""
    return explanation.base_values + explanation.contributions.sum(axis=1)
