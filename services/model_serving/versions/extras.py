"""Versions outside production, loaded when somebody asks for one."""

import asyncio
import time
from collections.abc import Collection

from mlplatform.registry.model_version import ModelVersion
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import ModelNotLoadedError, reason
from services.model_serving.versions.loads import Loads
from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.room import NoRoomError
from services.model_serving.versions.store import Key, LoadedModels

FAILURE_SECONDS = 30.0
MOST_FAILURES = 256


class ExtraVersions:
    """Loads a version once however many ask for it, and remembers for a while that it could not be loaded.

    Args:
        loads: how to load.
        store: where loaded versions go.
        retirement: where the ones that fall out go.
        patience: seconds a caller waits for a load; it goes on after that.
    """

    def __init__(self, loads: Loads, store: LoadedModels, retirement: Retirement, patience: float) -> None:
        self._loads = loads
        self._store = store
        self._retirement = retirement
        self._patience = patience
        self._waiting: set[asyncio.Task[LoadedModel | BaseException]] = set()
        self._failures: dict[tuple[str, str], tuple[float, str]] = {}

    def hold(self, keys: Collection[Key]) -> None:
        """Hold these versions, which traffic is routed to, and no others."""
        self._retirement.retire(self._store.hold(keys))

    async def load(self, version: ModelVersion) -> LoadedModel:
        """Return a version, loading it unless it is in memory by now.

        What is in production leaves only for a version that is held, not for whatever a caller names.

        Raises:
            ModelNotLoadedError: it could not be loaded, or it is still being loaded when patience ends.
        """
        key = version.name, version.version
        if (model := self._store.find(*key)) is not None:
            return model
        self._raise_failure(key)
        held = self._store.is_held(*key)
        task = asyncio.create_task(self._loads.load(version, self._place, evicting=held, sparing=True))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        done, _ = await asyncio.wait({task}, timeout=self._patience)
        if not done:
            detail = f"Model {version.name!r} version {version.version} is being loaded; try again shortly."
            raise ModelNotLoadedError(detail)
        outcome = task.result()
        if isinstance(outcome, NoRoomError):
            raise _not_loaded(*key, reason(outcome), 1.0)
        if isinstance(outcome, BaseException):
            self._note_failure(key, reason(outcome))
            raise _not_loaded(*key, reason(outcome), FAILURE_SECONDS)
        return outcome

    async def close(self) -> None:
        """Wait for the loads under way."""
        if self._waiting:
            await asyncio.wait(self._waiting)

    def _place(self, model: LoadedModel) -> None:
        self._retirement.retire(self._store.keep(model))

    def _note_failure(self, key: tuple[str, str], why: str) -> None:
        while len(self._failures) >= MOST_FAILURES:
            del self._failures[next(iter(self._failures))]
        self._failures[key] = time.monotonic() + FAILURE_SECONDS, why

    def _raise_failure(self, key: tuple[str, str]) -> None:
        until, why = self._failures.get(key, (0.0, ""))
        left = until - time.monotonic()
        if left > 0:
            raise _not_loaded(*key, why, left)
        self._failures.pop(key, None)


def _not_loaded(name: str, version: str, why: str, retry_after: float) -> ModelNotLoadedError:
    detail = f"Model {name!r} version {version} could not be loaded. {why}"
    return ModelNotLoadedError(detail, retry_after=retry_after)
