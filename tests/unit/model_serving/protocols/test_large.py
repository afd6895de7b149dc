"""Which answers are written in a thread, and that they are."""

import threading
from dataclasses import fields
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from fastapi import FastAPI

from mlplatform.service import DirectRequest
from services.model_serving.dataplane import Dataplane
from services.model_serving.engine.engine import Engine
from services.model_serving.protocols import mlflow_scoring, native, open_inference
from services.model_serving.protocols.large import LARGE_ANSWER, is_large
from services.model_serving.serving import Serving
from services.model_serving.settings import ServingSettings
from services.model_serving.versions.choice import Choice
from tests.unit.model_serving.doubles import model_of

MANY = LARGE_ANSWER + 1


class TestSize:
    """What an answer has, whatever it is."""

    @pytest.mark.parametrize(
        "answer",
        [
            np.zeros(MANY),
            np.zeros((2, MANY)),
            pd.Series(np.zeros(MANY)),
            pd.DataFrame({"a": np.zeros(MANY)}),
            {"a": np.zeros(MANY // 2), "b": np.zeros(MANY // 2 + 2)},
            [0.0] * MANY,
            [[0.0] * 100] * (MANY // 100 + 1),
            [{"label": "x", "score": 0.5}] * MANY,
        ],
        ids=lambda answer: type(answer).__name__,
    )
    def test_many_values(self, answer: Any) -> None:
        assert is_large(answer)

    @pytest.mark.parametrize(
        "answer", [np.zeros(1), pd.DataFrame({"a": [1]}), {"a": np.zeros(3)}, [], [1.0], "x", None]
    )
    def test_few_values(self, answer: Any) -> None:
        assert not is_large(answer)


class Watched(pd.DataFrame):
    """An answer that knows who reads it."""

    def to_dict(self, *arguments: Any, **options: Any) -> Any:
        self.attrs["readers"].add(threading.get_ident())
        return super().to_dict(*arguments, **options)

    def __getitem__(self, key: Any) -> Any:
        self.attrs["readers"].add(threading.get_ident())
        return super().__getitem__(key)


SENT = {
    "/api/v1/predict": {"model": "model", "inputs": [{"x": 1.0}]},
    "/models/{name}/invocations": {"dataframe_records": [{"x": 1.0}]},
    "/v2/models/{name}/infer": {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [1.0]}]},
}


class TestWriting:
    """Each protocol, with a small and with a large answer."""

    @pytest.mark.parametrize("path", SENT)
    @pytest.mark.parametrize("values", [1, MANY])
    async def test_only_large_answers_leave_the_event_loop(self, path: str, values: int) -> None:
        readers: set[int] = set()
        answer = Watched({"y": np.zeros(values)})
        answer.attrs["readers"] = readers
        model = model_of(lambda *_: answer)

        async def choose(*_: Any, **__: Any) -> Choice:
            return Choice(model, "primary")

        engine = Engine(threads=1, queue_size=10, timeout=timedelta(seconds=60))
        parts: dict[str, Any] = {part.name: None for part in fields(Serving)}
        parts["dataplane"] = Dataplane(engine, SimpleNamespace(choose=choose))
        app = FastAPI()
        app.state.serving = Serving(**parts)
        app.state.kernel = SimpleNamespace(settings=ServingSettings())
        routes = [*native.ROUTES, *mlflow_scoring.ROUTES, *open_inference.ROUTES]
        (route,) = [each for each in routes if (each.method, each.path) == ("POST", path)]
        caller = SimpleNamespace(tenant="t", subject="s")
        headers, body = {"content-type": "application/json"}, orjson.dumps(SENT[path])
        try:
            written = await route.handle(DirectRequest(app, {}, {"name": "model"}, headers, body, caller, "r"))
        finally:
            await engine.close()
        assert written.status == 200
        assert written.body.count(b"0.0") == values
        assert readers
        assert (threading.get_ident() in readers) == (values == 1)
