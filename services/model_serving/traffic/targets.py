"""The versions that routing documents name: brought into memory before anything is routed to them."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from structlog import get_logger

from mlplatform.errors import PlatformError
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.traffic.metrics import READY

RETRY_SECONDS = 5.0

State = Literal["loading", "ready", "failed"]
Key = tuple[str, str]

log = get_logger(__name__)


class Loading(Protocol):
    """How versions are found and brought into memory."""

    async def resolve(self, model: str, alias: str) -> str:
        """Return the version that an alias points to.

        Raises:
            PlatformError: it points nowhere, or that cannot be known now.
        """

    async def load(self, model: str, version: str) -> None:
        """Return once a version is in memory.

        Raises:
            PlatformError: it could not be loaded, or takes its time.
        """

    def hold(self, keys: Collection[Key]) -> None:
        """Keep these in memory, each a model and a version, once they are there; no longer those of the call before."""

    def is_loaded(self, model: str, version: str | None) -> bool:
        """Say whether a version is in memory; None is the one in production."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """How far a target is on this replica.

    Attributes:
        state: loading, ready or failed.
        version: the version that answers for it; the last good one while a newer one is being loaded.
        reason: why it is not ready.
    """

    state: State
    version: str | None = None
    reason: str | None = None


class Targets:
    """Keeps what is named in memory, and knows what may be routed to.

    Args:
        loading: how versions come into memory.
    """

    def __init__(self, loading: Loading) -> None:
        self._loading = loading
        self._states: dict[Key, TargetState] = {}
        self._retry_at: dict[Key, float] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._meant: dict[Key, str] = {}

    def may_route(self, model: str, reference: str) -> bool:
        """Say whether a request may be sent to a target now."""
        if reference == f"@{PRODUCTION}":
            return self._loading.is_loaded(model, None)
        state = self._states.get((model, reference))
        return state is not None and state.version is not None and self._loading.is_loaded(model, state.version)

    def version(self, model: str, reference: str) -> str | None:
        """Return the version that answers for a target; None for the one in production."""
        state = self._states.get((model, reference))
        return None if state is None else state.version

    def state(self, model: str, reference: str) -> TargetState:
        """Return how far a target is."""
        if reference == f"@{PRODUCTION}":
            return TargetState("ready" if self._loading.is_loaded(model, None) else "loading")
        return self._states.get((model, reference), TargetState("loading"))

    def ensure(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Bring what is wanted into memory, in the background, and forget the rest; called again and again.

        Args:
            wanted: model → references of its targets.
        """
        keys = {(model, name) for model, names in wanted.items() for name in names if name != f"@{PRODUCTION}"}
        for key in self._states.keys() - keys:
            del self._states[key]
            READY.remove(*key)
        for key in self._meant.keys() - keys:
            del self._meant[key]
        self._hold()
        for key in keys:
            if key not in self._tasks and time.monotonic() >= self._retry_at.get(key, 0.0):
                task = self._tasks[key] = asyncio.create_task(self._bring(key))
                task.add_done_callback(lambda _, key=key: self._tasks.pop(key))  # type: ignore[misc]  # binds the key
                if key not in self._states:
                    self._note(key, TargetState("loading"))

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    async def _bring(self, key: Key) -> None:
        model, reference = key
        before = self._states.get(key)
        try:
            alias = reference.removeprefix("@")
            version = await self._loading.resolve(model, alias) if reference.startswith("@") else reference
            self._meant[key] = version
            self._hold()
            if not self._loading.is_loaded(model, version):
                await self._loading.load(model, version)
        except PlatformError as error:
            self._retry_at[key] = time.monotonic() + RETRY_SECONDS
            self._note(key, TargetState("failed", before.version if before else None, error.detail))
            return
        self._retry_at.pop(key, None)
        self._note(key, TargetState("ready", version))
        self._hold()

    def _hold(self) -> None:
        """Hold what answers for a target, and what is meant to; while one is being replaced, that is both."""
        serving = {(model, state.version) for (model, _), state in self._states.items() if state.version is not None}
        self._loading.hold(serving | {(model, version) for (model, _), version in self._meant.items()})

    def _note(self, key: Key, state: TargetState) -> None:
        before = self._states.get(key)
        if before == state:
            return
        self._states[key] = state
        model, target = key
        READY.labels(model, target).set(state.state == "ready")
        if state.state == "failed":
            log.error("traffic_target_failed", model=model, target=target, reason=state.reason, serving=state.version)
        elif state.state == "ready":
            log.info("traffic_target_ready", model=model, target=target, version=state.version)
