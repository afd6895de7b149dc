"""Refusals that hold for a moment: under a flood, whoever asks the same is told the same, before anything is set up.

To refuse a request by its route costs as much as a small prediction: a task, a span, the credential, an exception. Two
thirds of a threefold overload are refused, so that would take the processors from what was accepted.
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Any

LONGEST_SECONDS = 0.02
"""So short that a queue which empties faster than expected is not shut for long."""
LONGEST_TARGET = 256
"""Bytes."""
MOST = 256
"""Targets at a time; callers make them up as they like."""
PASSES = frozenset({b"origin", b"x-model-version"})
"""Headers that ask for more than method and path say: such requests always reach their route."""
Headers = Sequence[tuple[bytes, bytes]]
Target = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of a refused request."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Hold:
    """A refusal.

    Attributes:
        until: On the monotonic clock.
        answer: Makes the answer, given the request's id.
        count: Called for each request that is refused so.
    """

    until: float
    answer: Callable[[str], Answer]
    count: Callable[[], None]


class Holds:
    """What is refused at the moment, by method and target as they are sent."""

    def __init__(self) -> None:
        self._held: dict[Target, Hold] = {}

    def __bool__(self) -> bool:
        """Whether there may be any."""
        return bool(self._held)

    def add(self, target: Target, seconds: float, answer: Callable[[str], Answer], count: Callable[[], None]) -> None:
        """Refuse a target for a moment: so many seconds, and at most `LONGEST_SECONDS`."""
        now = monotonic()
        self._held = {known: hold for known, hold in self._held.items() if hold.until > now}
        if len(self._held) < MOST and len(target[1]) <= LONGEST_TARGET:
            self._held[target] = Hold(now + min(seconds, LONGEST_SECONDS), answer, count)

    def find(self, target: Target, headers: Headers) -> Hold | None:
        """Return the refusal of a request, if one holds for it."""
        hold = self._held.get(target)
        if hold is None:
            return None
        if hold.until <= monotonic():
            del self._held[target]
            return None
        return None if any(name in PASSES for name, _ in headers) else hold


def target_of(scope: MutableMapping[str, Any]) -> Target:
    """Return method and target of a request as they were sent."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return scope["method"].encode(), path + b"?" + query if query else path


def write(answer: Answer, more: Headers) -> bytes:
    """Write an answer as it goes over the wire.

    Args:
        answer: Status, headers and body.
        more: Further headers.
    """
    lines = [b"HTTP/1.1 %d %b" % (answer.status, HTTPStatus(answer.status).phrase.encode())]
    lines += [b"%b: %b" % header for header in (*more, *answer.headers)]
    return b"\r\n".join([*lines, b"", answer.body])
