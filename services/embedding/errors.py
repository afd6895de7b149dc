"""What can go wrong with the embedding service.

* NotFound
  + ModelNotServed      404
    - WeightsNotServed  404
    - NoReranker        404
* DependencyUnavailable
  + ModelNotLoaded      503
    - NoRoomForModel    503
    - ModelUnreadable   503
    - RerankerNotLoaded 503
* RateLimited
  + QueueFull           429
  + TooManyJobs         429
* InternalError
  + EncodingFailedError 500
"""

from mlplatform.errors import DependencyUnavailable, InternalError, NotFound, RateLimited


class ModelNotServed(NotFound):
    """The caller names a model that this service does not serve."""

    code = "model_not_found"


class WeightsNotServed(ModelNotServed):
    """The caller asks for weights that are not in memory."""

    code = "weights_not_served"


class NoReranker(ModelNotServed):
    """There is no re-ranker in production.

    Args:
        name: What it would be registered as.
    """

    code = "no_reranker"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"No re-ranker is in production: register one by `mlp models register-reranker --name {name}` and promote "
            "it."
        )


class ModelNotLoaded(DependencyUnavailable):
    """The model is not in memory yet.

    Args:
        reason: Why, for readiness and for the caller.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("model", reason)


class NoRoomForModel(ModelNotLoaded):
    """The model and those in memory would take more than models may.

    Args:
        size: Bytes of its weights.
        taken: Bytes of those in memory.
        limit: Bytes that all may take.
    """

    def __init__(self, size: int, taken: int, limit: int) -> None:
        super().__init__(
            f"Its weights take {_mebibytes(size)} beside the {_mebibytes(taken)} in memory, more than "
            f"ML_EMBEDDING_MODEL_MEMORY={_mebibytes(limit)}: raise it, or retire a space."
        )


class ModelUnreadable(ModelNotLoaded):
    """The files of a version are no model that can be loaded; its cause says why.

    Args:
        name: Registered name of the model.
        version: The version.
        cause: What loading ended with.
    """

    def __init__(self, name: str, version: str, cause: Exception) -> None:
        super().__init__(
            f"Version {version} of {name} cannot be loaded: it ends with {type(cause).__name__}, and the log has more."
        )


class RerankerNotLoaded(ModelNotLoaded):
    """The re-ranker in production is not in memory.

    Args:
        problem: Why.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"The re-ranker is not loaded: {problem}")


class QueueFull(RateLimited):
    """More texts wait than the service may hold.

    Args:
        retry_after: Seconds after which there should be room again.
    """

    code = "queue_full"

    def __init__(self, retry_after: int = 1) -> None:
        detail = f"The encoder's queue is full; try again in {retry_after} s."
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class TooManyJobs(RateLimited):
    """The tenant has as many jobs as it may.

    Args:
        most: How many.
    """

    code = "too_many_jobs"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} jobs are kept already: delete some that have ended, or wait until they expire.",
            headers={"Retry-After": "60"},
        )


class EncodingFailedError(InternalError):
    """The model failed on the texts of one request; its cause says how."""

    code = "encoding_failed"


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
