"""Freeing versions that nothing points to any more."""

import asyncio
import gc
from collections.abc import Iterable

from structlog import get_logger

from services.model_serving.engine.loaded_model import LoadedModel

log = get_logger(__name__)


class Retirement:
    """Lets each version finish the requests it is answering, then has its memory returned."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def retire(self, models: Iterable[LoadedModel]) -> None:
        """Drain and free versions that were taken out of the store; returns at once."""
        for model in models:
            task = asyncio.create_task(_drain(model))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for the ones that are draining."""
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _drain(model: LoadedModel) -> None:
    await model.unused()
    name, version = model.identity.name, model.identity.version
    del model
    await asyncio.to_thread(gc.collect)  # a model and the modules it brought along refer to each other
    log.info("model_retired", model=name, version=version)
