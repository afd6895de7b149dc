"""Freeing versions that nothing points to any more."""

import asyncio
import ctypes
import gc
from collections.abc import Callable, Iterable

from structlog import get_logger

from services.model_serving.engine.loaded_model import LoadedModel

COLLECT_AFTER = 0.2
"""Seconds in which versions that leave together are freed together."""

log = get_logger(__name__)


class Retirement:
    """Lets each version finish the requests it is answering, then has its memory returned.

    Args:
        freed: told of the cache entry of each version that is freed.
    """

    def __init__(self, freed: Callable[[str], None] = lambda _: None) -> None:
        self._freed = freed
        self._tasks: set[asyncio.Task[None]] = set()
        self._collecting: asyncio.Task[None] | None = None
        self.bytes = 0
        """Bytes of the versions that have left the store and still answer."""

    def retire(self, models: Iterable[LoadedModel]) -> None:
        """Drain and free versions that were taken out of the store; returns at once."""
        for model in models:
            if not model.in_use:
                self._let_go(model)
                continue
            self.bytes += model.size
            task = asyncio.create_task(self._drain(model))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for the ones that are draining."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._collecting is not None:
            await asyncio.wait({self._collecting})

    async def _drain(self, model: LoadedModel) -> None:
        await model.unused()
        self.bytes -= model.size
        self._let_go(model)

    def _let_go(self, model: LoadedModel) -> None:
        self._freed(model.identity.key)
        log.info("model_retired", model=model.identity.name, version=model.identity.version)
        if self._collecting is None or self._collecting.done():
            self._collecting = asyncio.create_task(_collect())


async def _collect() -> None:
    await asyncio.sleep(COLLECT_AFTER)
    await asyncio.to_thread(return_memory)


def return_memory() -> None:
    """Free what only refers to itself, as a model and the modules it brought along do, and return it to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps freed memory unless told
    if trim is not None:
        trim(0)
