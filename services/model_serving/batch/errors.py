"""What can go wrong with a job.

* PlatformError
  + Conflict
    x JobEnded            409  it ended, so it cannot be cancelled
    x NothingToRetry      409  it has not ended, was cancelled, or has no failed item
    x JobGoesOn           409  it has not ended, so its results are no file yet
    x ResultsNotWritten   409  the file is queued for a worker, or being written
"""

from mlplatform.errors import Conflict
from mlplatform.errors.tree import RETRY_AFTER_SECONDS


class JobEnded(Conflict):
    """The job ended before it was cancelled."""

    code = "job_ended"

    def __init__(self, state: str) -> None:
        super().__init__(f"The job has {state}; there is nothing left of it to cancel.")


class NothingToRetry(Conflict):
    """The job has no failed items that could be tried again now."""

    code = "nothing_to_retry"


class JobGoesOn(Conflict):
    """The job has not ended, and what is asked for follows its end."""

    code = "job_not_ended"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"The job is {state}; its results are a file when it has ended. Until then read them by page, from results."
        )


class ResultsNotWritten(Conflict):
    """The file with the results is queued for a worker, or being written."""

    code = "results_not_written"

    def __init__(self) -> None:
        super().__init__(
            "The file with the results is not written yet; it is queued for a worker. Ask again in a moment.",
            headers={"Retry-After": RETRY_AFTER_SECONDS},
        )
