"""What can go wrong in traffic.

* PlatformError
  + PreconditionFailed    412  the document changed since the caller read it
  + Conflict
    x RevisionMissing     409  the caller did not say which revision it means to replace
    x NothingToAbort      409  there is no canary, or no such arm, that has traffic
  + NotFound
    x ExperimentNotFound  404  the model has and had no experiment of that name
  + Unprocessable
    x TargetRefused       422  a version or an alias in the document does not exist
    x OutcomeRefused      422  the value is not one that the experiment's metric can have
"""

from mlplatform.errors import Conflict, FieldError, NotFound, PlatformError, Unprocessable


class PreconditionFailed(PlatformError):
    """The document is not at the revision that the caller named."""

    status = 412
    code = "precondition_failed"


class RevisionMissing(Conflict):
    """A document exists, and the caller did not say that it knows it."""

    code = "revision_missing"


class NothingToAbort(Conflict):
    """No traffic goes where the caller wants it stopped."""

    code = "nothing_to_abort"


class ExperimentNotFound(NotFound):
    """There is no experiment of that name."""

    code = "experiment_not_found"


class TargetRefused(Unprocessable):
    """The document names what does not exist."""

    code = "target_refused"

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("The document names what the registry does not have; `errors` says what.", errors=errors)


class OutcomeRefused(Unprocessable):
    """The metric of the experiment cannot have this value."""

    code = "outcome_refused"
