"""What of a model's traffic may be logged: the settings, and the tags of the model."""

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from structlog import get_logger

from mlplatform.registry import tags as tag
from mlplatform.registry.model_version import RegisteredModel

EVERYTHING = "*"
BUCKETS = 2**32
FRESH_SECONDS = 2.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """What may be logged of one model.

    Attributes:
        sample: Share of requests.
        exclude: Columns that are left out.
    """

    sample: float
    exclude: frozenset[str]

    def takes(self, request_id: str) -> bool:
        """Whether a request is in the sample: by its id, so that all arms that answer it agree, and feedback knows."""
        return zlib.crc32(request_id.encode()) < self.sample * BUCKETS

    def hides(self, column: str) -> bool:
        """Whether an input column is left out."""
        return column in self.exclude or EVERYTHING in self.exclude


NOTHING = LogPolicy(0.0, frozenset({EVERYTHING}))


class LogPolicies:
    """The policy of each model, without asking anybody.

    Args:
        find: Looks a model up among those that the last poll of the registry saw.
        sample: Share for models that say nothing.
    """

    def __init__(self, find: Callable[[str], RegisteredModel | None], sample: float) -> None:
        self._find = find
        self._sample = sample
        self._known: dict[str, tuple[float, LogPolicy]] = {}

    def of(self, name: str) -> LogPolicy:
        """Return the policy of a model.

        What is not known yet is not logged: its tags may forbid it.
        """
        now = time.monotonic()
        known = self._known.get(name)
        if known is not None and now < known[0]:
            return known[1]
        model = self._find(name)
        policy = (NOTHING if known is None else known[1]) if model is None else read_policy(model.tags, self._sample)
        self._known[name] = (now + FRESH_SECONDS, policy)
        return policy


def read_policy(tags: Mapping[str, str], default_sample: float) -> LogPolicy:
    """Read the tags of a model; a share that is no number from 0 to 1 logs nothing, since it may mean less."""
    excluded = frozenset(name.strip() for name in tags.get(tag.LOG_EXCLUDE, "").split(",") if name.strip())
    given = tags.get(tag.LOG_SAMPLE)
    if given is None:
        return LogPolicy(default_sample, excluded)
    try:
        sample = float(given)
    except ValueError:
        sample = -1.0
    if not 0 <= sample <= 1:
        log.warning("monitoring.bad_sample_tag", tag=tag.LOG_SAMPLE)
        sample = 0.0
    return LogPolicy(sample, excluded)
