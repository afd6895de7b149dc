"""Bounds how many audit events refused callers can cause."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

WINDOW = timedelta(minutes=1)
SOURCES = 512
EVERYBODY_ELSE = "*"


@dataclass(slots=True)
class _Window:
    started: float
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """How many denials of one client for one reason got no event of their own."""

    client: str
    reason: str
    suppressed: int


class DenialThrottle:
    """Lets the first denial of a client for a reason through, and counts the rest until a window has passed.

    Of very many clients the later ones share one window, so that neither memory nor disk grows with their number.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()

    @property
    def is_busy(self) -> bool:
        """Whether a window is open."""
        return bool(self._windows)

    def admit(self, client: str, reason: str) -> bool:
        """Whether this denial is to be written; otherwise it is counted."""
        key = (client, reason)
        if key not in self._windows and len(self._windows) >= SOURCES:
            key = (EVERYBODY_ELSE, reason)
        window = self._windows.get(key)
        if window is None:
            self._windows[key] = _Window(self._clock())
            return True
        window.suppressed += 1
        return False

    def elapsed(self) -> list[Summary]:
        """End the windows that have passed and return what they suppressed."""
        summaries = []
        oldest = self._clock() - WINDOW.total_seconds()
        while self._windows:
            (client, reason), window = next(iter(self._windows.items()))
            if window.started > oldest:
                break
            self._windows.popitem(last=False)
            if window.suppressed:
                summaries.append(Summary(client, reason, window.suppressed))
        return summaries

    def drain(self) -> list[Summary]:
        """End every window and return what they suppressed."""
        summaries = [Summary(*key, window.suppressed) for key, window in self._windows.items() if window.suppressed]
        self._windows.clear()
        return summaries
