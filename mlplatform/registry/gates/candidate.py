"""What the gates look at."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mlplatform.registry.approvals.approval import Approval
from mlplatform.registry.model_version import ModelVersion, RegisteredModel
from mlplatform.registry.registry import Registry
from mlplatform.registry.settings import PromotionSettings

ReadDecisions = Callable[[str], Awaitable[list[Approval]]]
"""Gives the decisions on the version with artifacts of this digest, newest first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version on its way to a stage.

    Attributes:
        registry: Where it is.
        settings: The limits.
        model: What it is a version of.
        version: The version.
        production: The version that serves meanwhile.
        allow_schema_change: Whether callers of the version in production may break.
        requester: Who wants to promote it.
        decisions: What other people decided about it; None when nobody is asked.
    """

    registry: Registry
    settings: PromotionSettings
    model: RegisteredModel
    version: ModelVersion
    production: ModelVersion | None
    allow_schema_change: bool
    requester: str
    decisions: ReadDecisions | None = None
