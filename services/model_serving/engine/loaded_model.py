"""A version of a model that is in memory."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature

from mlplatform.errors import FieldError
from services.model_serving.engine.plain import to_plain
from services.model_serving.errors import InputsRefused, InvalidInputs, ModelFailedError
from services.model_serving.flavors.predictor import Predict
from services.model_serving.loading.example import InputExample
from services.model_serving.signature import Signature

MODEL_BLAMES_INPUTS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST"})


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What says that two loads are of the same thing.

    Attributes:
        name: the registered model.
        version: its version, digits.
        key: name of its entry in the artifact cache; the digest of the artifacts when one is recorded.
        digest: digest of the artifacts as recorded in the registry.
        run_id: the training run.
    """

    name: str
    version: str
    key: str
    digest: str | None
    run_id: str | None


@dataclass(frozen=True, slots=True)
class LoadReport:
    """How a load went.

    Attributes:
        loaded_at: when it was ready.
        seconds: from the folder on disk to the first prediction.
        size: bytes of its artifacts.
        path: whether it is called past MLflow or through it.
    """

    loaded_at: datetime
    seconds: float
    size: int
    path: Literal["native", "pyfunc"]


@dataclass(eq=False, slots=True)
class LoadedModel:
    """A version, ready to predict. Knows no HTTP; `score` blocks and belongs in a thread."""

    identity: ModelIdentity
    signature: Signature
    declared: ModelSignature | None
    example: InputExample | None
    predict: Predict
    report: LoadReport
    input_rows: int | None = None
    _users: int = 0
    _unused: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._unused.set()

    def score(self, inputs: object, params: dict[str, object]) -> object:
        """Check the inputs, predict, and return plain values.

        Raises:
            InvalidInputs: they do not fit the signature.
            InputsRefused: they fit, and the model refuses them all the same.
        """
        given = self.signature.inputs.read(inputs)
        values = self.signature.parameters.read(params)
        if self.input_rows is not None and given.rows != self.input_rows:
            message = f"must have {self.input_rows} rows for this model, has {given.rows}"
            raise InvalidInputs([FieldError("body.inputs", message)])
        if not given.rows:
            return []
        try:
            return to_plain(self.predict(given, values))
        except ValueError as error:  # sklearn and numpy say so when a value is out of what they can compute with
            raise InputsRefused(self._says("cannot score these inputs", error)) from error
        except MlflowException as error:
            if error.error_code in MODEL_BLAMES_INPUTS:
                raise InputsRefused(self._says("cannot score these inputs", error)) from error
            raise
        except StopIteration as error:  # asyncio cannot carry this one from a thread to its waiter
            raise self.broke(error) from error

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

    async def unused(self) -> None:
        """Wait until no request holds the model."""
        await self._unused.wait()

    def _says(self, what: str, error: BaseException) -> str:
        return f"Model {self.identity.name} version {self.identity.version} {what} ({type(error).__name__})."
