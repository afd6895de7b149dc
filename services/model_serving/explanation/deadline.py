"""When an explanation is no longer waited for."""

import time
from dataclasses import dataclass

from mlplatform.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment, and the time that was given until it.

    Attributes:
        ends: by `time.perf_counter`.
        seconds: what was given.
    """

    ends: float
    seconds: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the deadline that many seconds from now."""
        return cls(time.perf_counter() + seconds, seconds)

    def check(self) -> None:
        """Say so when it has passed; long work calls this between its steps.

        Raises:
            DeadlineExceeded: it has passed.
        """
        if time.perf_counter() >= self.ends:
            raise DeadlineExceeded(self.message)

    @property
    def message(self) -> str:
        """What to tell the caller."""
        return f"The explanation took longer than {self.seconds:g} s; send fewer rows."
