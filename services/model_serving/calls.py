"""What goes through the dataplane, and the ports of those who route calls and of those who watch them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mlplatform.errors import PlatformError
from services.model_serving.engine.loaded_model import LoadedModel, ModelIdentity, Params
from services.model_serving.signature import ModelInput


@dataclass(frozen=True, slots=True)
class Call:
    """What a caller wants.

    Attributes:
        model: Registered name.
        read: Reads the caller's inputs with the version that was chosen.
        size: Bytes of the body.
        version: Number of a version, by which the caller overrides the routing.
        alias: The same by alias.
        routing_key: What keeps a caller with one version while a split is on.
        subject: Who calls, for splits that go by that.
        tenant: Whose call it is.
        request_id: Under which logs and traces know it.
    """

    model: str
    read: Callable[[LoadedModel], tuple[ModelInput, Params]]
    size: int
    tenant: str
    request_id: str
    version: str | None = None
    alias: str | None = None
    routing_key: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it.

    Attributes:
        model: The version that answered.
        route: How it was chosen.
        predictions: As the model gave them; an empty list for no rows.
        given: The inputs as they were read.
        params: The parameters as they were read.
    """

    model: LoadedModel
    route: str
    predictions: Any
    given: ModelInput
    params: Params


@dataclass(slots=True)
class Served:
    """A call that is over, for observers.

    Attributes:
        identity: The version that was asked.
        route: How it was chosen.
        given: The inputs; None when they did not fit.
        params: The parameters.
        predictions: As the model gave them; None after an error.
        error: What went wrong.
        seconds: From the choice of the version to the answer.
        queue_seconds: Of these, waiting for the model.
        tenant: Whose call it was.
        request_id: Under which logs and traces know it.
        routing_key: What the split went by.
        loaded: The version.
    """

    identity: ModelIdentity
    route: str
    tenant: str
    request_id: str
    routing_key: str | None
    loaded: LoadedModel
    given: ModelInput | None = None
    params: Params = None
    predictions: Any = None
    error: PlatformError | None = None
    seconds: float = 0.0
    queue_seconds: float = 0.0


class Observer(Protocol):
    """Is told of every call that reached a version."""

    def observe(self, served: Served) -> None:
        """Take note; returns at once."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Which version a split gives a caller.

    Attributes:
        version: By number, or
        alias: by alias; neither is the one in production.
        label: The route's name in headers and metrics.
    """

    version: str | None
    alias: str | None
    label: str


class Router(Protocol):
    """Splits the calls of a model between versions."""

    def draws(self, model: str) -> bool:
        """Say whether calls of a model may go to different versions."""

    def route(self, model: str, key: str | None, request_id: str, subject: str | None) -> Arm | None:
        """Return the arm for a caller; None for the version in production."""
