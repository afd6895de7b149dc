"""Requests as somebody named Ada makes them."""

from typing import Any

from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.request import PromotionRequest
from mlplatform.registry.stages import Stage

ACTOR = "ada"


def to(stage: Stage, version: ModelVersion, **options: Any) -> PromotionRequest:
    """Ask for a version in a stage."""
    return PromotionRequest(model=version.name, stage=stage, version=version.version, actor=ACTOR, **options)


def to_production(version: ModelVersion, **options: Any) -> PromotionRequest:
    """Ask for a version in Production."""
    return to(Stage.PRODUCTION, version, **options)


def back(model: str, **options: Any) -> PromotionRequest:
    """Ask for a rollback."""
    return PromotionRequest(model=model, stage=Stage.PRODUCTION, actor=ACTOR, **options)
