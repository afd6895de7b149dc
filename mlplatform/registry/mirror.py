"""MLflow's stage field: a mirror of the ledger, for readers that do not know aliases."""

from collections.abc import Iterable
from dataclasses import dataclass

from mlplatform.registry.lineage import Lineage
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import NO_STAGE, Stage

EXCLUSIVE = (Stage.PRODUCTION, Stage.STAGING)
"""The stages that one version has at a time."""


@dataclass(frozen=True, slots=True)
class StageDrift:
    """One version whose stage field is not as the ledger has it.

    Attributes:
        version: Its number.
        recorded: The stage by the ledger, or `None` in words.
        found: The stage by MLflow, or `None` in words.
    """

    version: str
    recorded: str
    found: str


def find_stage_drift(lineage: Lineage, versions: Iterable[ModelVersion]) -> list[StageDrift]:
    """Compare the stage fields of a model's versions with the ledger.

    A version that the ledger has nowhere may be archived or not, and has neither of the other stages.

    Args:
        lineage: Where the versions stand.
        versions: All that the model has.
    """
    drifts = []
    for version in versions:
        known = lineage.known_stage_of(version.version)
        differs = version.stage in EXCLUSIVE if known is None else version.stage != known
        if differs:
            drifts.append(StageDrift(version.version, known or NO_STAGE, version.stage))
    return drifts


def mirror_again(registry: Registry, model: str, drifts: Iterable[StageDrift]) -> None:
    """Write the stage fields that differ as the ledger has them.

    Args:
        registry: Where the versions are.
        model: Registered name.
        drifts: What differs.

    Raises:
        RegistryRefused: MLflow will not.
        RegistryUnavailable: MLflow is down.
    """
    # MLflow archives whichever version has an exclusive stage already, so these come first.
    for drift in sorted(drifts, key=lambda drift: drift.recorded not in EXCLUSIVE):
        registry.mirror_stage(model, drift.version, drift.recorded)
