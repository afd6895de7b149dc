"""The estimator under BentoML, with and without its adaptive batching."""

from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import DType
from estimator import BATCHED, WORKERS, load

Matrix = Annotated[np.ndarray, DType("float64")]
BATCHING = {"batchable": True, "max_batch_size": 1000, "max_latency_ms": 2000} if BATCHED else {}
"""A batch is counted in rows; 1000 is the largest request of the benchmark, which would otherwise be split."""


@bentoml.service(workers=WORKERS, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Estimator:
    """Takes one matrix of rows per request."""

    def __init__(self) -> None:
        self._estimator = load()

    @bentoml.api(route="/predict", **BATCHING)
    def predict(self, input: Matrix) -> np.ndarray:  # noqa: A002 - the field of the request's body
        """Predict."""
        return self._estimator.predict(input)
