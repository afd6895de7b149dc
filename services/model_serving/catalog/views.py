"""Models and versions in the form in which the API shows them."""

from collections.abc import Iterable
from typing import Any, TypeAlias, cast

from mlflow.models import ModelSignature

from mlplatform.registry.model_version import ModelVersion, RegisteredModel
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.loading.description import Description
from services.model_serving.schemas import LoadedState, LoadFailure, SignatureDetail, VersionSummary
from services.model_serving.versions.failures import Failure

View: TypeAlias = dict[str, Any]
"""Fields of a wire type that holds more of them."""


def model_summary(
    name: str,
    model: RegisteredModel | None,
    loaded: Iterable[tuple[LoadedModel, str]],
    failure: Failure | None,
    *,
    alias_missing: bool,
) -> View:
    """Show a model; None for what is registered while MLflow is down."""
    return {
        "name": name,
        "description": "" if model is None else model.description,
        "served_by": "serving" if model is None else model.served_by,
        "aliases": {} if model is None else model.aliases,
        "loaded": [state(found, role) for found, role in loaded],
        "failure": None if failure is None else load_failure(failure),
        "alias_missing": alias_missing,
    }


def load_failure(failure: Failure) -> LoadFailure:
    """Show why a version in production is not served."""
    return LoadFailure(
        version=failure.version,
        reason=failure.reason,
        attempts=failure.attempts,
        retry_in_seconds=round(failure.seconds_left, 1),
    )


def state(model: LoadedModel, role: str) -> LoadedState:
    """Show a version in memory."""
    report = model.report
    return LoadedState(
        version=model.identity.version,
        role=cast("Any", role),
        digest=model.identity.digest,
        loaded_at=report.loaded_at,
        load_seconds=round(report.seconds, 3),
        size_bytes=model.size,
        path=report.path,
        path_reason=report.path_reason,
        row_wise=model.row_wise,
        row_wise_reason=report.row_wise_reason,
    )


def version_summary(version: ModelVersion) -> VersionSummary:
    """Show a version as it is registered."""
    return VersionSummary(
        version=version.version,
        aliases=list(version.aliases),
        digest=version.digest,
        run_id=version.run_id,
        created=version.created,
    )


def known_version(model: LoadedModel) -> VersionSummary:
    """Show what is known of a version in memory while MLflow is down."""
    identity = model.identity
    return VersionSummary(
        version=identity.version, aliases=[], digest=identity.digest, run_id=identity.run_id, created=None
    )


def described(description: Description) -> View:
    """Show what a version says about itself."""
    signature, example = description.signature, description.example
    return {
        "signature": None if signature is None else signature_detail(signature),
        "input_example": None if example is None else example.inputs,
    }


def signature_detail(signature: ModelSignature) -> SignatureDetail:
    """Show a signature."""
    parts = {"inputs": signature.inputs, "outputs": signature.outputs, "params": signature.params}
    return SignatureDetail(**{name: None if part is None else part.to_dict() for name, part in parts.items()})
