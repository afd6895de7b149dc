"""What can go wrong with the registry.

* DependencyUnavailable
  + RegistryUnavailable     503
  + ArtifactsUnavailable    503
* NotFound
  + ModelNotFound           404
  + VersionNotFound         404
  + AliasNotFound           404
* Conflict
  + PromotionRefused        409
  + GateBlocked             409
  + ApprovalMissing         409
* Unprocessable
  + RegistryRefused         422
* PlatformError
  + ArtifactMismatchError   500
"""

from mlplatform.errors import Conflict, DependencyUnavailable, NotFound, PlatformError, Unprocessable
from mlplatform.registry.gates.finding import Status
from mlplatform.registry.report import GateReport


class RegistryUnavailable(DependencyUnavailable):
    """MLflow does not answer, or answers that it cannot.

    Args:
        detail: Which call failed and how to mend it.
    """

    def __init__(self, detail: str | None = None) -> None:
        super().__init__("mlflow", detail)


class ArtifactsUnavailable(DependencyUnavailable):
    """MLflow answers, and the artifacts of a version cannot be read through it.

    Args:
        name: The model.
        version: The version.
    """

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            "artifacts",
            f"The artifacts of {name} version {version} cannot be read. The object store behind MLflow is down, or "
            "they were deleted.",
        )


class ModelNotFound(NotFound):
    """No registered model has this name."""

    code = "model_not_found"


class VersionNotFound(NotFound):
    """The model has no version of this number."""

    code = "version_not_found"


class AliasNotFound(NotFound):
    """The model has no version under this alias."""

    code = "alias_not_found"


class RegistryRefused(Unprocessable):
    """MLflow understood the call and will not do it, such as an alias with a forbidden character."""

    code = "registry_refused"


class ArtifactMismatchError(PlatformError):
    """The stored artifacts are not the ones whose digest was recorded when the version was registered."""

    code = "artifact_mismatch"


class PromotionRefused(Conflict):
    """What the promotion takes for granted is not so; the detail says what, and how to mend it."""

    code = "promotion_refused"


class GateBlocked(Conflict):
    """A gate failed, so nothing was changed.

    Args:
        report: What every gate found.
    """

    code = "gate_blocked"

    def __init__(self, report: GateReport) -> None:
        failed = ", ".join(report.failed_gates())
        super().__init__(f"{report.model} version {report.version} did not pass: {failed}. Nothing was changed.")
        self.report = report


class ApprovalMissing(Conflict):
    """Every gate is passed but the one that asks for another person; nothing was changed.

    Args:
        report: What every gate found.
    """

    code = "approval_missing"

    def __init__(self, report: GateReport) -> None:
        (finding,) = (finding for finding in report.findings if finding.status is Status.FAILED)
        super().__init__(finding.message)
        self.report = report
