"""From a call, of whatever protocol, to the answer of a version.

Protocols parse and render; they all go through here. Routers decide which version answers, observers are told of each
answer. Both are called on the event loop and must not wait for anything.
"""

import asyncio
import time
from collections.abc import Sequence

from mlplatform.errors import Overloaded, PlatformError
from services.model_serving.calls import Answer, Call, Observer, Router, Served
from services.model_serving.engine.engine import Engine, Prediction
from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.signature import ModelInput
from services.model_serving.spans import model_span
from services.model_serving.versions.choice import Versions

LARGE_BODY = 1024 * 1024
"""Bytes from which on a body is read in a thread, so that others need not wait for it."""


class Dataplane:
    """Answers calls.

    Args:
        engine: Runs predictions.
        versions: Finds versions in memory.
        router: Splits the calls that name no version.
        observers: Are told of each call.
    """

    def __init__(
        self, engine: Engine, versions: Versions, router: Router | None = None, observers: Sequence[Observer] = ()
    ) -> None:
        self._engine = engine
        self._versions = versions
        self._router = router
        self._observers = tuple(observers)

    async def infer(self, call: Call) -> Answer:
        """Choose a version, read the inputs with it, and predict.

        Raises:
            PlatformError: what the caller is to be told; observers know it already.
        """
        begin = time.perf_counter()
        model, route = await self._choose(call)
        served = Served(model.identity, route, call.tenant, call.request_id, call.routing_key, model)
        model.hold()
        try:
            return await self._answer(call, model, served)
        except PlatformError as error:
            if isinstance(error, Overloaded) and self._draws(call):
                error.lasts = 0.0  # the next one may go to another version
            served.error = error
            raise
        finally:
            model.release()
            served.seconds = time.perf_counter() - begin
            for observer in self._observers:
                observer.observe(served)

    async def _answer(self, call: Call, model: LoadedModel, served: Served) -> Answer:
        self._engine.admit(model)
        read = asyncio.to_thread(call.read, model) if call.size >= LARGE_BODY else None
        given, params = call.read(model) if read is None else await read
        served.given, served.params = given, params
        model.check_rows(given)
        with model_span("predict", model.identity):
            prediction = await self._predict(model, given, params)
        served.predictions, served.queue_seconds = prediction.answer, prediction.queue_seconds
        return Answer(model, served.route, prediction.answer, given, params)

    def _draws(self, call: Call) -> bool:
        named = call.version is not None or call.alias is not None
        return self._router is not None and not named and self._router.draws(call.model)

    async def _choose(self, call: Call) -> tuple[LoadedModel, str]:
        if self._router is not None and call.version is None and call.alias is None:
            arm = self._router.route(call.model, call.routing_key, call.request_id, call.subject)
            if arm is not None:
                choice = await self._versions.choose(call.model, version=arm.version, alias=arm.alias)
                return choice.model, arm.label
        choice = await self._versions.choose(call.model, version=call.version, alias=call.alias)
        return choice.model, choice.route

    async def _predict(self, model: LoadedModel, given: ModelInput, params: Params) -> Prediction:
        if not given.rows:
            return Prediction([], 0.0)
        return await self._engine.predict(model, given, params)
