"""The estimator under Ray Serve, with and without its request batching."""

import signal

import numpy as np
import ray
from estimator import BATCH_SECONDS, BATCH_SIZE, BATCHED, PORT, WORKERS, load, together
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=256)
class Plain:
    """Takes one matrix of rows per request."""

    def __init__(self) -> None:
        self._estimator = load()

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        """Predict for one caller."""
        matrix = np.asarray((await request.json())["input"], dtype=np.float64)
        return {"output": self._estimator.predict(matrix).tolist()}


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=256)
class Batched:
    """Takes one matrix of rows per request, and predicts for many at once."""

    def __init__(self) -> None:
        self._estimator = load()

    @serve.batch(max_batch_size=BATCH_SIZE, batch_wait_timeout_s=BATCH_SECONDS)
    async def predict(self, matrices: list[np.ndarray]) -> list[np.ndarray]:
        """Predict for several callers."""
        return together(self._estimator, matrices)

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        """Wait for the batch that this request is in."""
        matrix = np.asarray((await request.json())["input"], dtype=np.float64)
        return {"output": (await self.predict(matrix)).tolist()}


if __name__ == "__main__":
    ray.init(
        address="local",
        num_cpus=4,  # more than there are, since each part of Ray Serve asks for a whole one
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=200 * 2**20,
        _node_ip_address="127.0.0.1",
    )
    serve.start(http_options={"host": "127.0.0.1", "port": PORT}, logging_config={"enable_access_log": False})
    serve.run((Batched if BATCHED else Plain).bind(), route_prefix="/")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
