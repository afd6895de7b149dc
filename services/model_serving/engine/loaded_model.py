"""A version of a model that is in memory."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature

from mlplatform.errors import FieldError
from services.model_serving.engine.identity import ModelIdentity
from services.model_serving.engine.plain import to_plain
from services.model_serving.errors import InputsRefused, InvalidInputs, ModelFailedError
from services.model_serving.flavors.predictor import Predict, Says
from services.model_serving.flavors.refusal import says_nothing
from services.model_serving.loading.example import InputExample
from services.model_serving.signature import ModelInput, Signature

Params: TypeAlias = dict[str, object] | None
MODEL_BLAMES_INPUTS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST"})
FOUND_LENGTH = 200

__all__ = ["Lane", "LoadReport", "LoadedModel", "ModelIdentity", "Params"]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """How a load went.

    Attributes:
        loaded_at: when it was ready.
        seconds: from the folder on disk to the first prediction.
        size: bytes of its artifacts.
        path: whether it is called past MLflow or through it.
        flavor: the library, `pyfunc` for any other.
        path_reason: why this path.
        row_wise_reason: why its rows may or may not be scored together with those of other callers.
    """

    loaded_at: datetime
    seconds: float
    size: int
    path: Literal["native", "pyfunc"]
    flavor: str = "pyfunc"
    path_reason: str = ""
    row_wise_reason: str = ""


class Lane(Protocol):
    """Where requests for a version wait."""

    @property
    def waiting(self) -> int:
        """Requests that wait."""

    @property
    def expected_wait(self) -> float:
        """Seconds until a request that comes now is answered."""

    def hurry(self) -> None:
        """Make the next call now."""

    def submit(self, ticket: Any) -> None:  # noqa: ANN401 (the engine's own)
        """Queue a request."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class LoadedModel:
    """A version, ready to predict. Knows no HTTP; `call` blocks.

    Attributes:
        identity: What it is.
        signature: Reads inputs.
        declared: The signature as MLflow has it.
        example: The input example that was logged with it.
        predict: Calls it.
        report: How its load went.
        input_rows: Rows that a call must have, for a model of a history.
        row_wise: Whether rows of several callers may be scored in one call.
        size: Bytes that it is thought to take in memory.
        lane: Where its requests wait; made by the engine at the first one.
        raw: The library's own model, where the version is one; explanations look into it.
        refusal: Says what is wrong with the inputs of a call that raised; None when the model is broken.
        metadata: What its artifacts say about it, such as `ml.task`.
        pipeline: Of Hugging Face's Transformers, where the version is one; scorers of files call it.
    """

    identity: ModelIdentity
    signature: Signature
    declared: ModelSignature | None
    example: InputExample | None
    predict: Predict
    report: LoadReport
    input_rows: int | None = None
    row_wise: bool = False
    size: int = 0
    lane: Lane | None = None
    raw: object | None = None
    refusal: Says = says_nothing
    metadata: Mapping[str, Any] = field(default_factory=dict)
    pipeline: object | None = None
    _users: int = 0
    _unused: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._unused.set()

    def check_rows(self, given: ModelInput) -> None:
        """Refuse a history of the wrong length.

        Raises:
            InvalidInputs: the model takes another number of rows.
        """
        if self.input_rows is not None and given.rows != self.input_rows:
            message = f"must have {self.input_rows} rows for this model, has {given.rows}"
            raise InvalidInputs([FieldError("body.inputs", message)])

    def read(self, inputs: object, params: dict[str, object]) -> tuple[ModelInput, Params]:
        """Read what a caller of the native API sends.

        Raises:
            InvalidInputs: it does not fit the signature.
        """
        return self.signature.inputs.read(inputs), self.signature.parameters.read(params)

    def call(self, given: ModelInput, params: Params) -> Any:  # noqa: ANN401 (a model may answer anything)
        """Predict.

        Raises:
            InputsRefused: the inputs fit the signature, and the model refuses them all the same.
            BaseException: whatever the model's code raises.
        """
        try:
            return self.predict(given, params)
        except ValueError as error:  # sklearn and numpy say so when a value is out of what they can compute with
            raise InputsRefused(self._says("cannot score these inputs", error)) from error
        except MlflowException as error:
            if error.error_code in MODEL_BLAMES_INPUTS:
                raise InputsRefused(self._says("cannot score these inputs", error)) from error
            raise
        except Exception as error:
            if (found := self.refusal(error)) is None:
                raise
            raise InputsRefused(self._says("cannot score these inputs", error, found)) from error

    def score(self, inputs: object, params: dict[str, object]) -> object:
        """Read, predict, and return plain values, as the native API does; blocks.

        Raises:
            InvalidInputs: the inputs do not fit the signature.
            InputsRefused: they fit, and the model refuses them all the same.
        """
        given, values = self.read(inputs, params)
        self.check_rows(given)
        return to_plain(self.call(given, values)) if given.rows else []

    def broke(self, error: BaseException) -> ModelFailedError:
        """Return what to tell a caller when the model raised what is no fault of the inputs."""
        return ModelFailedError(self._says("failed", error))

    def hold(self) -> None:
        """Count a request that is answered with this model. Runs on the event loop, as `release` and `unused` do."""
        self._users += 1
        self._unused.clear()

    def release(self) -> None:
        """Count a held request as over."""
        self._users -= 1
        if not self._users:
            self._unused.set()

    @property
    def in_use(self) -> bool:
        """Whether a request holds the model."""
        return self._users > 0

    async def unused(self) -> None:
        """Wait until no request holds the model."""
        await self._unused.wait()

    def _says(self, what: str, error: BaseException, found: str = "") -> str:
        cause = f"{type(error).__name__}: {found[:FOUND_LENGTH]}" if found else type(error).__name__
        return f"Model {self.identity.name} version {self.identity.version} {what} ({cause})."
