"""What can go wrong with the embedding service.

* NotFound
  + ModelNotServed      404
* DependencyUnavailable
  + ModelNotLoaded      503
* RateLimited
  + QueueFull           429
* InternalError
  + EncodingFailedError 500
"""

from mlplatform.errors import DependencyUnavailable, InternalError, NotFound, RateLimited


class ModelNotServed(NotFound):
    """The caller names a model that this service does not serve."""

    code = "model_not_found"


class ModelNotLoaded(DependencyUnavailable):
    """The model is not in memory yet.

    Args:
        reason: Why, for readiness and for the caller.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("model", reason)


class QueueFull(RateLimited):
    """More texts wait than the service may hold.

    Args:
        retry_after: Seconds after which there should be room again.
    """

    code = "queue_full"

    def __init__(self, retry_after: int = 1) -> None:
        detail = f"The encoder's queue is full; try again in {retry_after} s."
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class EncodingFailedError(InternalError):
    """The model failed on the texts of one request; its cause says how."""

    code = "encoding_failed"
