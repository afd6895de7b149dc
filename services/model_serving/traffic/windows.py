"""What this replica saw lately on each part of the traffic, in slots of a few seconds by the wall clock."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from services.model_serving.traffic.document import LONGEST_WINDOW
from services.model_serving.traffic.tally import Outcome, Tally

SLOT_SECONDS = 5
KEPT_SLOTS = int(LONGEST_WINDOW.total_seconds()) // SLOT_SECONDS + 2
Key = tuple[str, str, int, str]
"""Model, route, epoch and version."""


def slot_of(moment: float) -> int:
    """Return the slot of a moment in seconds since 1970; replicas agree as far as their clocks do."""
    return int(moment // SLOT_SECONDS)


def first_slot(now: float, window_seconds: int) -> int:
    """Return the oldest slot of a window that ends now."""
    return slot_of(now - window_seconds)


class Windows:
    """Counts of recent slots, and which of them were not sent yet."""

    def __init__(self) -> None:
        self._slots: dict[int, dict[Key, Tally]] = {}
        self._unsent: set[tuple[int, Key]] = set()

    def count(self, key: Key, outcome: Outcome, seconds: float, now: float | None = None) -> None:
        """Count one request."""
        slot = slot_of(time.time() if now is None else now)
        parts = self._slots.get(slot)
        if parts is None:
            parts = self._slots[slot] = {}
            self._forget(slot - KEPT_SLOTS)
        tally = parts.get(key)
        if tally is None:
            tally = parts[key] = Tally()
        tally.count(outcome, seconds)
        self._unsent.add((slot, key))

    def over(self, model: str, route: str, epoch: int, since: int) -> Tally:
        """Return what was counted on one part of the traffic from a slot on, versions together."""
        total = Tally()
        for slot, parts in self._slots.items():
            if slot >= since:
                for key, tally in parts.items():
                    if key[:3] == (model, route, epoch):
                        total.add(tally)
        return total

    def unsent(self, replica: UUID) -> list[dict[str, Any]]:
        """Return the rows that changed since they were last taken, and count them as taken."""
        taken, self._unsent = self._unsent, set()
        return [row for slot, key in taken if (row := self._row(slot, key, replica)) is not None]

    def unsend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Count rows as not taken after all."""
        self._unsent |= {(row["slot"], (row["model"], row["route"], row["epoch"], row["version"])) for row in rows}

    def _row(self, slot: int, key: Key, replica: UUID) -> dict[str, Any] | None:
        tally = self._slots.get(slot, {}).get(key)
        if tally is None:
            return None
        named = dict(zip(("model", "route", "epoch", "version"), key, strict=True))
        return {**named, "slot": slot, "replica": replica, **tally_row(tally)}

    def _forget(self, before: int) -> None:
        for slot in [slot for slot in self._slots if slot < before]:
            del self._slots[slot]
        self._unsent = {(slot, key) for slot, key in self._unsent if slot >= before}


def tally_row(tally: Tally) -> dict[str, Any]:
    """Return a tally as columns."""
    return {
        "requests": tally.requests,
        "errors": tally.errors,
        "refused": tally.refused,
        "seconds": tally.seconds,
        "latency": list(tally.latency),
    }


def read_tally(row: Mapping[str, Any]) -> Tally:
    """Make a tally of columns."""
    return Tally(row["requests"], row["errors"], row["refused"], row["seconds"], list(row["latency"]))


def together(rows: Iterator[Mapping[str, Any]]) -> Tally:
    """Add up the tallies of rows."""
    total = Tally()
    for row in rows:
        total.add(read_tally(row))
    return total
