"""What the engine measures, with the labels of one version looked up once."""

from services.model_serving.metrics import BATCH_REQUESTS, BATCH_ROWS, INFERENCE_DURATION, QUEUE_WAIT


class Meters:
    """The instruments of one version.

    Args:
        model: Its registered name.
        version: Its number.
    """

    def __init__(self, model: str, version: str) -> None:
        self._duration = INFERENCE_DURATION.labels(model, version)
        self._rows = BATCH_ROWS.labels(model, version)
        self._requests = BATCH_REQUESTS.labels(model, version)
        self._wait = QUEUE_WAIT.labels(model, version)

    def called(self, rows: int, requests: int, seconds: float) -> None:
        """Count a call of the model."""
        self._duration.observe(seconds)
        self._rows.observe(rows)
        self._requests.observe(requests)

    def waited(self, seconds: float) -> None:
        """Count a request's time in the queue."""
        self._wait.observe(seconds)
