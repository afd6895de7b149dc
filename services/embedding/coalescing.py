"""Equal texts in flight: computed once, for all who asked meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Generic, Self, TypeVar

from mlplatform.errors import PlatformError
from services.embedding import metrics

Value = TypeVar("Value")
Compute = Callable[[Sequence[bytes]], Awaitable[Mapping[bytes, Value]]]


class Flight(Generic[Value]):
    """One computation, and how many wait for it: `with flight:` is to be one of them.

    It belongs to nobody: a caller that leaves does not take the others' answer along; the last one to leave ends it.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        task: "asyncio.Task[Mapping[bytes, Value]]",
        *,
        urgent: bool,
        land: "Callable[[Flight[Value]], None]",
    ) -> None:
        self.keys = keys
        self.urgent = urgent
        self._task = task
        self._land = land
        self._callers = 0
        task.add_done_callback(self._ended)

    def __enter__(self) -> Self:
        self._callers += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._callers -= 1
        if not self._callers and not self._task.done():
            self._land(self)  # at once, so that nobody joins what is ending
            self._task.cancel()

    async def wait(self) -> Mapping[bytes, Value]:
        """Return what was computed, or raise what went wrong."""
        return await asyncio.shield(self._task)

    def _ended(self, task: "asyncio.Task[Mapping[bytes, Value]]") -> None:
        self._land(self)
        if not task.cancelled():
            task.exception()  # seen, also when nobody is left to see it


class Flights(Generic[Value]):
    """All computations in flight.

    An urgent request does not join one that is not: it would wait for a bulk load because that has the same text.
    """

    def __init__(self) -> None:
        self._by_key: dict[bytes, Flight[Value]] = {}

    async def get(self, keys: Sequence[bytes], compute: Compute[Value], *, urgent: bool) -> Mapping[bytes, Value]:
        """Return a value for each key, of which those not in flight are computed together.

        Args:
            keys: What is wanted; the same key twice is computed once.
            compute: Computes the values of keys.
            urgent: Whether the request is a small one that must not wait for large ones.

        Raises:
            PlatformError: As `compute` does. When another's computation fails, this caller tries itself.
        """
        fresh: list[bytes] = []
        joined: dict[Flight[Value], list[bytes]] = {}
        for key in dict.fromkeys(keys):
            flight = self._by_key.get(key)
            if flight is None or (urgent and not flight.urgent):
                fresh.append(key)
            else:
                joined.setdefault(flight, []).append(key)
        if len(fresh) < len(keys):
            metrics.COALESCED.inc(len(keys) - len(fresh))
        if not joined:
            return await self._fly(fresh, compute, urgent=urgent) if fresh else {}
        with ExitStack() as stack:
            for flight in joined:
                stack.enter_context(flight)
            found = dict(await self._fly(fresh, compute, urgent=urgent)) if fresh else {}
            failed: list[bytes] = []
            for flight, wanted in joined.items():
                try:
                    values = await flight.wait()
                except PlatformError:
                    failed += wanted
                else:
                    found.update((key, values[key]) for key in wanted)
            if failed:
                found.update(await self._fly(failed, compute, urgent=urgent))
            return found

    async def _fly(self, keys: Sequence[bytes], compute: Compute[Value], *, urgent: bool) -> Mapping[bytes, Value]:
        async def run() -> Mapping[bytes, Value]:
            return await compute(keys)

        flight = Flight(keys, asyncio.create_task(run()), urgent=urgent, land=self._land)
        self._by_key.update(dict.fromkeys(keys, flight))
        with flight:
            return await flight.wait()

    def _land(self, flight: Flight[Value]) -> None:
        for key in flight.keys:
            if self._by_key.get(key) is flight:
                del self._by_key[key]
