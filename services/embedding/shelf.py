"""The models in memory: one that queries are embedded with, and more while the index changes models."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from mlplatform.events import running
from mlplatform.events.background import Loop
from mlplatform.service.health import Check
from services.embedding import metrics
from services.embedding.batcher import Batcher
from services.embedding.errors import ModelUnreadable, NoRoomForModel
from services.embedding.loading import load
from services.embedding.model_files import ModelFiles
from services.embedding.served_model import ServedModel
from services.embedding.settings import EmbeddingSettings

WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".onnx"})

Loaded = TypeVar("Loaded")

log = structlog.get_logger(__name__)


class Shelf:
    """Holds models by the digest of their weights, each with its queue, within a bound on memory.

    Args:
        settings: Settings of the service.
    """

    def __init__(self, settings: EmbeddingSettings) -> None:
        self._settings = settings
        self._models: dict[str, ServedModel] = {}
        self._loops: dict[str, AsyncExitStack] = {}
        self._checks: dict[str, list[Check]] = {}

    def find(self, digest: str) -> ServedModel | None:
        """Return the model with these weights."""
        return self._models.get(digest)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(list(self._models.values()))

    async def check(self) -> None:
        """Fail when a loop of a model has ended.

        Raises:
            RuntimeError: One has.
        """
        for checks in list(self._checks.values()):
            for check in checks:
                await check()

    async def load(self, files: ModelFiles, *, needed: bool) -> ServedModel:
        """Read a model into memory unless it is there.

        Args:
            files: The model.
            needed: Whether queries are embedded with it, so that it is loaded whatever its size.

        Raises:
            NoRoomForModel: With the others it would take more memory than models may.
            ModelUnreadable: The files are no model.
            OSError: They are not there.
        """
        found = self.find(files.digest)
        if found is not None:
            return found
        size = await asyncio.to_thread(weights_size, files.folder)
        taken = sum(model.size for model in self)
        limit = int(self._settings.embedding_model_memory)
        if taken and not needed and taken + size > limit:
            raise NoRoomForModel(size, taken, limit)
        encoder, chooser = await asyncio.to_thread(_read, files, partial(load, files, self._settings))
        batcher = Batcher(encoder, max_queued_texts=self._settings.embedding_queued_texts)
        await self._start(files.digest, batcher, "encoder")
        await self._start(files.digest, chooser, "encoder choice")
        model = ServedModel(files.version, files.production_version, files.digest, encoder, batcher, files.name, size)
        self._models[files.digest] = model
        self._measure()
        log.info("embedding.model_loaded", model=model.name, version=files.version, digest=files.digest)
        return model

    async def keep(self, digests: Collection[str]) -> None:
        """Free the models with other weights, each once what waits for it is done."""
        for digest in self._models.keys() - set(digests):
            model = self._models.pop(digest)
            self._checks.pop(digest)
            self._measure()
            await self._loops.pop(digest).aclose()
            log.info("embedding.model_freed", model=model.name, version=model.version, digest=digest)

    async def close(self) -> None:
        """Free all."""
        await self.keep(())

    async def _start(self, digest: str, loop: Loop, name: str) -> None:
        loops = self._loops.setdefault(digest, AsyncExitStack())
        self._checks.setdefault(digest, []).append(await loops.enter_async_context(running(loop, name)))

    def _measure(self) -> None:
        metrics.MODEL_LOADED.clear()
        for model in self:
            metrics.MODEL_LOADED.labels(model.name, model.version).set(1)
        metrics.MODEL_BYTES.set(sum(model.size for model in self))


def _read(files: ModelFiles, read: Callable[[], Loaded]) -> Loaded:
    """Read a model, and put whatever the libraries raise for damaged files as one fault of this model.

    Raises:
        ModelUnreadable: The files are no model.
    """
    try:
        return read()
    except Exception as error:  # damaged files end with anything, in tokenizers with a bare Exception
        log.warning("embedding.model_unreadable", model=files.name, version=files.version, exc_info=error)
        raise ModelUnreadable(files.name, files.version, error) from error


def weights_size(folder: Path) -> int:
    """Return the bytes of the weights in a folder, about what a model takes in memory."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in WEIGHTS)
