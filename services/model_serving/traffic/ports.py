"""What traffic and the path of a request tell each other."""

from dataclasses import dataclass
from typing import Any

from mlplatform.errors import PlatformError
from services.model_serving.engine.loaded_model import LoadedModel, ModelIdentity
from services.model_serving.signature import ModelInput


@dataclass(frozen=True, slots=True)
class Arm:
    """Where a request goes.

    Attributes:
        version: by number.
        alias: or by alias; neither is the version in production.
        label: what the response header says.
    """

    version: str | None
    alias: str | None
    label: str


@dataclass(slots=True)
class Served:
    """A request that was answered, or failed."""

    identity: ModelIdentity
    route: str
    given: ModelInput | None
    params: dict[str, Any] | None
    predictions: Any | None
    error: PlatformError | None
    seconds: float
    queue_seconds: float
    tenant: str
    request_id: str
    routing_key: str | None
    loaded: LoadedModel
