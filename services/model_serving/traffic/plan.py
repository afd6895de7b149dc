"""A routing document compiled to what a request needs."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from services.model_serving.traffic.assignment import BUCKETS, bucket
from services.model_serving.traffic.document import Experiment, Target, TrafficDocument
from services.model_serving.traffic.epochs import CANARY, PRIMARY, Epochs, arm_label

SHARE = "share"


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the traffic.

    Attributes:
        label: what the response header says.
        target: who answers it; None for the primary.
    """

    label: str
    target: Target | None


PRIMARY_SLICE = Slice(PRIMARY, None)


@dataclass(frozen=True, slots=True)
class Plan:
    """Deals the requests of one model.

    A key is in the split when its bucket lies under the share, so a share that grows keeps whom it had. Which arm it
    gets comes of a second hash, so that this does not change with the share.

    Attributes:
        model: its name.
        revision: of the document.
        document: what the plan was made of.
        epochs: since when its parts are what they are.
        share: buckets under it take part.
        salt: of the canary or the experiment.
        slices: who takes part.
        bounds: first bucket above each slice.
        began: when its experiment did.
    """

    model: str
    revision: int
    document: TrafficDocument
    epochs: Epochs
    share: int
    salt: str
    slices: tuple[Slice, ...]
    bounds: tuple[int, ...]
    began: datetime | None = None

    def choose(self, key: str) -> Slice:
        """Return the slice that a key falls into; the same one on every replica."""
        if not self.share:
            return PRIMARY_SLICE
        if self.share < BUCKETS and bucket(self.model, f"{self.salt}/{SHARE}", key) >= self.share:
            return PRIMARY_SLICE
        if len(self.slices) == 1:
            return self.slices[0]
        return self.slices[bisect_right(self.bounds, bucket(self.model, self.salt, key))]


def compile_plan(
    model: str, revision: int, document: TrafficDocument, epochs: Epochs, began: datetime | None = None
) -> Plan:
    """Make a plan of a document."""
    share, salt = 0, ""
    slices: tuple[Slice, ...] = ()
    bounds: tuple[int, ...] = ()
    if document.canary is not None:
        share, salt = _buckets(document.canary.percent), CANARY
        slices, bounds = (Slice(CANARY, document.canary),), (BUCKETS,)
    elif document.experiment is not None:
        share, salt = _buckets(document.experiment.percent), f"experiment/{document.experiment.name}"
        slices, bounds = _arms(document.experiment)
    return Plan(model, revision, document, epochs, share, salt, slices, bounds, began)


def _buckets(percent: float) -> int:
    return round(percent * BUCKETS / 100)


def _arms(experiment: Experiment) -> tuple[tuple[Slice, ...], tuple[int, ...]]:
    total = sum(arm.weight for arm in experiment.arms)
    reached = accumulate(arm.weight for arm in experiment.arms)
    bounds = [round(BUCKETS * weight / total) for weight in reached]
    slices = [PRIMARY_SLICE if arm.stopped else Slice(arm_label(arm.name), arm) for arm in experiment.arms]
    return tuple(slices), (*bounds[:-1], BUCKETS)
