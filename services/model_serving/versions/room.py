"""Room in memory for the versions that are to be loaded."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass

from structlog import get_logger

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import LoadError
from services.model_serving.metrics import EVICTIONS, MEMORY_LIMIT
from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.store import LoadedModels

MEBIBYTE = 1024 * 1024
PAUSE = 0.02

log = get_logger(__name__)


class TooBigError(LoadError):
    """The version cannot be loaded whatever else is taken out of memory."""


class NoRoomError(LoadError):
    """There is no room at this moment."""


@dataclass(eq=False, slots=True)
class Reservation:
    """Bytes that a load under way will take."""

    size: int = 0


class Room:
    """Keeps what is in memory within a number of bytes.

    Args:
        budget: most bytes of all versions.
        store: what is in memory.
        retirement: what has left the store and still answers.
        patience: seconds to wait for versions that answer, before it is said that there is no room.
    """

    def __init__(self, budget: int, store: LoadedModels, retirement: Retirement, patience: float) -> None:
        self._budget = budget
        self._store = store
        self._retirement = retirement
        self._patience = patience
        self._reservations: set[Reservation] = set()
        self._turn = asyncio.Lock()
        MEMORY_LIMIT.set(budget)

    def reserve(self) -> Reservation:
        """Begin a reservation, of nothing yet; release it once the model is in the store, or gone."""
        reservation = Reservation()
        self._reservations.add(reservation)
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Give bytes back."""
        self._reservations.discard(reservation)

    async def make(
        self,
        reservation: Reservation,
        size: int,
        *,
        evicting: bool,
        sparing: bool = False,
        replaced: LoadedModel | None = None,
    ) -> None:
        """Reserve bytes, taking out of memory what was not used for the longest time; those who ask get it in turn.

        A version that is answering is not taken out but waited for.

        Args:
            reservation: grows, or shrinks, to `size`.
            size: bytes.
            evicting: whether versions in production, and held ones, may have to go for it.
            sparing: whether held versions, and what is in production beside them, stay nevertheless.
            replaced: the version that it takes the place of, and that may overlap with it for a moment.

        Raises:
            TooBigError: it can never fit.
            NoRoomError: it does not fit now.
        """
        self._check_possible(size, replaced)
        # What is loaded already goes before those who wait for their turn, or they would wait for each other.
        async with self._turn if not reservation.size else nullcontext():
            more = size - reservation.size
            await self._wait_for_room(more, evicting=evicting, sparing=sparing, replaced=replaced)
            reservation.size = size

    async def _wait_for_room(self, more: int, *, evicting: bool, sparing: bool, replaced: LoadedModel | None) -> None:
        if more <= 0:
            return
        credit = 0 if replaced is None or not self._store.holds(replaced) else replaced.size
        until = time.monotonic() + (self._patience if evicting else 0.0)
        while (missing := self._taken() + more - self._budget - credit) > 0:
            evictable = self._store.evictable(production=evicting, held=evicting and not sparing)
            candidates = [model for model in evictable if model is not replaced]
            idle = [model for model in candidates if not model.in_use]
            if missing <= sum(model.size for model in idle):
                self._evict(idle, missing)
                return
            busy = [model for model in candidates if model.in_use]
            left = until - time.monotonic()
            if left <= 0:
                raise NoRoomError(f"There is no room in memory for it now: {_mib(missing)} are missing.")
            await self._change(busy, left)

    def settle(self) -> None:
        """Let versions outside production leave until the rest fits, as after a swap; they finish what they answer."""
        missing = self._taken() - self._budget
        if missing > 0:
            self._evict(self._store.evictable(production=False, held=True), missing)

    def _check_possible(self, size: int, replaced: LoadedModel | None) -> None:
        pinned = sum(
            model.size
            for name, model in self._store.production.items()
            if self._store.is_pinned(name) and model is not replaced
        )
        if size + pinned > self._budget:
            others = f", of which pinned models take {_mib(pinned)}" if pinned else ""
            raise TooBigError(
                f"It takes {_mib(size)} of memory, and ML_SERVING_MEMORY is {_mib(self._budget)}{others}. Raise "
                "ML_SERVING_MEMORY, or serve the model by a process of its own (ML_SERVING_MODELS)."
            )

    def _taken(self) -> int:
        reserved = sum(reservation.size for reservation in self._reservations)
        return self._store.size + self._retirement.bytes + reserved

    def _evict(self, candidates: Iterable[LoadedModel], missing: int) -> None:
        for model in candidates:
            if missing <= 0:
                return
            missing -= model.size
            self._store.evict(model)
            self._retirement.retire([model])
            EVICTIONS.labels(model.identity.name).inc()
            log.info("model_evicted", model=model.identity.name, version=model.identity.version, bytes=model.size)

    @staticmethod
    async def _change(busy: Iterable[LoadedModel], seconds: float) -> None:
        """Wait until one of the versions is idle, or for a moment, in which others may have been loaded or freed."""
        waits = {asyncio.create_task(model.unused()) for model in busy}
        pause = asyncio.create_task(asyncio.sleep(min(seconds, PAUSE)))
        try:
            await asyncio.wait({*waits, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in (*waits, pause):
                wait.cancel()


def _mib(size: int) -> str:
    return f"{max(1, round(size / MEBIBYTE))} MiB"
