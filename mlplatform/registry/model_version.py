"""What the registry knows about a model and about one version of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mlplatform.registry import tags as tag


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model.

    Attributes:
        name: The model.
        version: Its number, as MLflow writes it: a string of digits.
        aliases: The aliases that point here now.
        run_id: The training run, when there was one.
        source: Where MLflow has it from, such as `models:/m-…`.
        stage: MLflow's deprecated stage field; a mirror, never the truth.
        tags: Tags of the version.
        created: When it was registered, UTC.
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str | None
    source: str
    stage: str
    tags: Mapping[str, str]
    created: datetime

    @property
    def digest(self) -> str | None:
        """Digest of the artifacts as recorded when the version was registered."""
        return self.tags.get(tag.DIGEST)

    @property
    def model_id(self) -> str | None:
        """Id of the logged model that the version was registered from."""
        prefix, _, identifier = self.source.partition("models:/")
        return identifier if not prefix and identifier.startswith("m-") else None


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered model.

    Attributes:
        name: Its unique name.
        description: What people wrote about it.
        aliases: Alias → version number.
        tags: Tags of the model.
        created: UTC.
        updated: UTC.
    """

    name: str
    description: str
    aliases: Mapping[str, str]
    tags: Mapping[str, str]
    created: datetime
    updated: datetime

    @property
    def served_by(self) -> str:
        """The service that loads this model."""
        return self.tags.get(tag.SERVED_BY, "serving")
