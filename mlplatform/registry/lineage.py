"""Which versions ought to stand where, told from what the ledger says was done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mlplatform.registry.ledger import Action, Promotion
from mlplatform.registry.stages import PREVIOUS, PRODUCTION, STAGING, Stage


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where the versions of a model stand, and the way back.

    Attributes:
        production: The version in production.
        staging: The version in staging.
        way_back: The versions that were in production before by the ledger, oldest first; a rollback takes the last.
    """

    production: str | None = None
    staging: str | None = None
    way_back: tuple[str, ...] = ()

    @property
    def aliases(self) -> Mapping[str, str | None]:
        """Alias → the version that it ought to point to."""
        return {
            PRODUCTION: self.production,
            STAGING: self.staging,
            PREVIOUS: self.way_back[-1] if self.way_back else None,
        }

    def stage_of(self, version: str) -> Stage:
        """The stage of a version that had one: production before staging."""
        if version == self.production:
            return Stage.PRODUCTION
        return Stage.STAGING if version == self.staging else Stage.ARCHIVED

    def known_stage_of(self, version: str) -> Stage | None:
        """The stage of a version; None of one that stands nowhere and is not on the way back."""
        known = version in (self.production, self.staging, *self.way_back)
        return self.stage_of(version) if known else None

    def after(self, promotion: Promotion) -> "Lineage":
        """Give the lineage after one more promotion."""
        version = promotion.to_version
        if promotion.action is Action.ARCHIVE:
            return Lineage(
                production=None if self.production == version else self.production,
                staging=None if self.staging == version else self.staging,
                way_back=_tidy([passed for passed in self.way_back if passed != version], self.production),
            )
        if promotion.stage is Stage.STAGING:
            return replace(self, staging=version)
        if promotion.action is Action.ROLLBACK:
            steps = self.way_back if version == self.production else _shorten(self.way_back, version)
            return replace(self, production=version, way_back=_tidy(steps, version))
        # Not what was left: a version that was put there by hand passed no gate, and a rollback asks for none.
        left = [] if self.production is None else [self.production]
        return replace(self, production=version, way_back=_tidy([*self.way_back, *left], version))


def trace_lineage(promotions: Iterable[Promotion]) -> Lineage:
    """Follow what was done to a model.

    Args:
        promotions: Those that were done, oldest first.
    """
    lineage = Lineage()
    for promotion in promotions:
        lineage = lineage.after(promotion)
    return lineage


def _shorten(way_back: tuple[str, ...], version: str) -> tuple[str, ...]:
    """Take the last step to a version off the way, and whatever comes after it."""
    places = [place for place, passed in enumerate(way_back) if passed == version]
    return way_back[: places[-1]] if places else way_back


def _tidy(way_back: Iterable[str], production: str | None) -> tuple[str, ...]:
    """Leave steps out that lead from a version to itself."""
    steps: list[str] = []
    for version in way_back:
        if not steps or steps[-1] != version:
            steps.append(version)
    if steps and steps[-1] == production:
        steps.pop()
    return tuple(steps)
