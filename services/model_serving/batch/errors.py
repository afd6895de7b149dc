"""What can go wrong with a job.

* PlatformError
  + Conflict
    x JobEnded            409  it ended, so it cannot be cancelled
    x NothingToRetry      409  it has not ended, was cancelled, or has no failed item
"""

from mlplatform.errors import Conflict


class JobEnded(Conflict):
    """The job ended before it was cancelled."""

    code = "job_ended"

    def __init__(self, state: str) -> None:
        super().__init__(f"The job has {state}; there is nothing left of it to cancel.")


class NothingToRetry(Conflict):
    """The job has no failed items that could be tried again now."""

    code = "nothing_to_retry"
