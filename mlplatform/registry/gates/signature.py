"""Is there a signature, with an input example, and does it accept what the production version accepts?"""

import asyncio
import tempfile
from pathlib import Path

from mlflow.models import Model

from mlplatform.registry.errors import ArtifactsUnavailable
from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.gates.trial import SERVING
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry
from mlplatform.registry.schema_change import breaking_changes, compare_fields

GATE = "signature"
DESCRIPTION = "MLmodel"


async def check(candidate: Candidate) -> Finding:
    """Look at what the version says of its inputs and outputs, and compare it with the version in production."""
    return await asyncio.to_thread(_check, candidate)


def _check(candidate: Candidate) -> Finding:
    described = _describe(candidate.registry, candidate.version)
    signature = described.signature
    if signature is None or signature.inputs is None or signature.outputs is None:
        return Finding(
            GATE,
            Status.FAILED,
            "There is no signature of inputs and outputs. Pass signature=infer_signature(inputs, outputs) to log_model "
            "and register the model anew.",
        )
    present = "Signature and input example are there"
    if described.saved_input_example_info is None:
        if candidate.model.served_by == SERVING:
            return Finding(
                GATE,
                Status.FAILED,
                "There is no input example. Pass input_example= to log_model and register the model anew.",
            )
        present = "The signature is there"
    return _compare(candidate, described, present)


def _compare(candidate: Candidate, described: Model, present: str) -> Finding:
    production = candidate.production
    if production is None or production.version == candidate.version.version:
        alone = {"changes": [], "fields": compare_fields(None, described.signature)}
        return Finding(GATE, Status.PASSED, f"{present}; nothing in production to compare.", alone)
    try:
        served = _describe(candidate.registry, production).signature
    except ArtifactsUnavailable:
        return Finding(
            GATE,
            Status.WARNED,
            f"{present}; not compared: the artifacts of version {production.version} in production cannot be read.",
        )
    if served is None:
        message = f"{present}; not compared: version {production.version} in production has no signature."
        return Finding(GATE, Status.PASSED, message)
    changes = breaking_changes(served, described.signature)
    detail: dict[str, object] = {"changes": changes, "fields": compare_fields(served, described.signature)}
    if not changes:
        message = f"{present}; callers of version {production.version} can stay as they are."
        return Finding(GATE, Status.PASSED, message, detail)
    broken = f"Callers of version {production.version} in production would break: {'; '.join(changes)}."
    if candidate.allow_schema_change:
        return Finding(GATE, Status.WARNED, f"{broken} Allowed by --allow-schema-change.", detail)
    return Finding(GATE, Status.FAILED, f"{broken} Pass --allow-schema-change once they are ready for it.", detail)


def _describe(registry: Registry, version: ModelVersion) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        registry.copy_artifacts(version, Path(folder), DESCRIPTION)
        return Model.load(str(Path(folder) / DESCRIPTION))
