"""The estimator that every peer serves; runs inside the peer's own environment."""

import os
from typing import Any

import joblib
import numpy as np

PORT = int(os.environ.get("BENCH_PORT", "0"))
WORKERS = int(os.environ.get("BENCH_WORKERS", "1"))
BATCHED = os.environ.get("BENCH_BATCHED") == "1"
BATCH_SIZE = 32
BATCH_SECONDS = 0.005


def load() -> Any:  # noqa: ANN401 - an estimator of scikit-learn, which is not typed
    """Load the pipeline, and let it forget its column names.

    The peers hand over arrays, about whose lack of names scikit-learn would warn at every call.
    """
    estimator = joblib.load(os.environ["BENCH_ESTIMATOR"])
    for part in (estimator, *(step for _, step in getattr(estimator, "steps", ()))):
        vars(part).pop("feature_names_in_", None)
    return estimator


def together(estimator: Any, matrices: list[np.ndarray]) -> list[np.ndarray]:  # noqa: ANN401 - as above
    """Predict for several callers at once, and give each its own rows."""
    predictions = estimator.predict(np.concatenate(matrices))
    return np.split(predictions, np.cumsum([len(matrix) for matrix in matrices])[:-1])
