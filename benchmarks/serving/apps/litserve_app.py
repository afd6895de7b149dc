"""The estimator under LitServe; its ZeroMQ queue is on, as its documentation advises above 100 requests a second."""

from typing import Any

import litserve
import numpy as np
from estimator import BATCH_SECONDS, BATCH_SIZE, BATCHED, PORT, WORKERS, load, together


class Estimator(litserve.LitAPI):
    """Takes one matrix of rows per request."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe names its argument so
        """Load the model, once in each worker."""
        self.estimator = load()

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        """Read the rows."""
        return np.asarray(request["input"], dtype=np.float64)

    def batch(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Keep the matrices apart, since callers may send different numbers of rows."""
        return inputs

    def unbatch(self, output: list[np.ndarray]) -> list[np.ndarray]:
        """Give each caller its own."""
        return output

    def predict(self, x: np.ndarray | list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        """Predict for one caller, or for a batch of them."""
        return together(self.estimator, x) if BATCHED else self.estimator.predict(x)

    def encode_response(self, output: np.ndarray) -> dict[str, list[float]]:
        """Write the predictions."""
        return {"output": output.tolist()}


if __name__ == "__main__":
    batching = {"max_batch_size": BATCH_SIZE, "batch_timeout": BATCH_SECONDS} if BATCHED else {}
    server = litserve.LitServer(Estimator(**batching), accelerator="cpu", workers_per_device=WORKERS, fast_queue=True)
    server.run(host="127.0.0.1", port=PORT, log_level="warning", generate_client_file=False, access_log=False)
