"""The exchange of backends beside a service."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlplatform.events import running
from services.embedding.encoding import chooser
from services.embedding.encoding.chooser import Chooser
from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.prepare import Preparation
from services.embedding.encoding.selection import Selection
from services.embedding.encoding.trials import Record, Trial
from tests.fixtures.programs import LIBRARIES, python_with
from tests.integration.embedding.waiting import eventually
from tests.unit.embedding import models
from tests.unit.embedding.models import TEXTS

NO_PROGRAM = (sys.executable, "-m", "no_such_module")


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the process that tries backends its imports."""
    monkeypatch.setattr(chooser, "PROGRAM", (*python_with(*LIBRARIES), *chooser.PROGRAM[1:]))


@pytest.fixture
def folder(tmp_path) -> Path:
    return models.save(models.pooled(tmp_path / "bert"), tmp_path / "model")


@pytest.fixture
def selection(folder, tmp_path) -> Selection:
    cache = tmp_path / "cache"
    return Selection(folder=folder, digest="d" * 64, cache=cache, wanted="openvino-fp32", threads=1)


@pytest.fixture
def encoder(folder) -> Encoder:
    return Encoder.load(folder, token_budget=200, threads=1)


async def is_complete(encoder: Encoder) -> bool:
    return encoder.report.choice is not None and encoder.report.choice.complete


class TestRun:
    async def test_texts_are_served_meanwhile_and_the_backend_is_exchanged(self, encoder, selection):
        expected = encoder.encode(TEXTS)
        async with running(Chooser(encoder, selection), "choice"):
            assert (encoder.backend, encoder.report.choice.complete) == ("torch-fp32", False)
            answers = []
            while not await is_complete(encoder):
                answers.append(await asyncio.to_thread(encoder.encode, TEXTS))
                await asyncio.sleep(0.1)  # the process that tries the backends leaves the processor to others

        assert encoder.backend == "openvino-fp32"
        assert len(answers) > 1
        assert all(np.allclose(answer, expected, atol=1e-4) for answer in [*answers, encoder.encode(TEXTS)])

    async def test_the_second_start_tries_nothing(self, encoder, selection, monkeypatch):
        await asyncio.to_thread(Preparation(selection).run)
        monkeypatch.setattr(chooser, "PROGRAM", NO_PROGRAM)

        async with running(Chooser(encoder, selection), "choice"):
            await eventually(lambda: is_complete(encoder))

        assert (encoder.backend, encoder.report.choice.problem) == ("openvino-fp32", None)

    async def test_a_damaged_export_is_made_anew(self, encoder, selection):
        await asyncio.to_thread(Preparation(selection).run)
        for file in selection.cache.rglob("*.onnx"):
            file.write_bytes(b"damaged")

        async with running(Chooser(encoder, selection), "choice"):
            await eventually(lambda: is_complete(encoder))

        assert encoder.backend == "openvino-fp32"

    async def test_a_wanted_backend_that_may_not_serve_is_told(self, encoder, selection):
        refused = Trial(backend="openvino-fp32", refused="its similarity to fp32 is 0.5, below 0.995")
        selection.records().write(Record(trials=(Trial(backend="torch-fp32", texts_per_second=1), refused)))

        async with running(Chooser(encoder, selection), "choice"):
            await eventually(lambda: is_complete(encoder))

        assert (encoder.backend, encoder.report.choice.problem) == ("torch-fp32", refused.refused)

    async def test_the_reference_serves_on_when_nothing_can_be_tried(self, encoder, selection, monkeypatch):
        monkeypatch.setattr(chooser, "PROGRAM", NO_PROGRAM)
        expected = encoder.encode(TEXTS)

        async with running(Chooser(encoder, selection), "choice") as check:
            await eventually(lambda: is_complete(encoder))
            await check()

        assert "ChoiceFailedError" in encoder.report.choice.problem
        assert np.array_equal(encoder.encode(TEXTS), expected)

    async def test_the_fastest_of_those_that_were_compared_takes_over(self, encoder, selection):
        auto = selection.model_copy(update={"wanted": "auto"})
        refused = (Trial(backend=name, refused="not here") for name in auto.candidates())
        record = Record(trials=tuple(refused))
        for name in ("torch-bf16", "openvino-fp32"):
            record = record.add(Trial(backend=name, texts_per_second=1e9, cosine=1.0))
        auto.records().write(record)

        async with running(Chooser(encoder, auto), "choice"):
            await eventually(lambda: is_complete(encoder))

        choice = encoder.report.choice
        assert sorted(choice.compared) == ["openvino-fp32", "torch-bf16"]
        assert all(trial.texts_per_second < 1e8 for trial in choice.trials if trial.refused is None)
        assert encoder.backend == auto.records().read().choose("auto") != "torch-fp32"

    async def test_a_stop_ends_the_warming_up(self, encoder, selection, monkeypatch):
        await asyncio.to_thread(Preparation(selection).run)
        begun = threading.Event()

        def warm_up(*_: object, go_on: Callable[[], bool]) -> int:
            begun.set()
            while go_on():
                time.sleep(0.01)
            return 0

        monkeypatch.setattr("services.embedding.encoding.encoder.warm_up", warm_up)

        async with running(Chooser(encoder, selection), "choice"):
            assert await asyncio.to_thread(begun.wait, 30)

        assert encoder.backend == "torch-fp32"

    async def test_a_stop_in_between_is_no_fault_of_the_backend(self, encoder, selection):
        async with running(Chooser(encoder, selection), "choice"):
            await eventually(lambda: has_begun(selection))

        assert selection.records().read().attempts == 0

    async def test_nothing_is_tried_where_the_reference_is_wanted(self, encoder, selection):
        wanted = selection.model_copy(update={"wanted": "torch-fp32"})

        async with running(Chooser(encoder, wanted), "choice"):
            await eventually(lambda: is_complete(encoder))

        assert not selection.cache.exists()


async def has_begun(selection: Selection) -> bool:
    record = selection.records().read()
    return record.trying is not None or bool(record.trials)
