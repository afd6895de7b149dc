"""What the observer does on the event loop."""

from datetime import UTC, datetime

import numpy as np
import orjson
import pandas as pd
import pytest

from mlplatform.monitoring.drift import compare
from mlplatform.monitoring.profile import make_profile
from mlplatform.registry.model_version import RegisteredModel
from services.model_serving.calls import Served
from services.model_serving.monitoring.entry import make_entry
from services.model_serving.monitoring.observer import Noted, PredictionObserver
from services.model_serving.monitoring.policy import LogPolicies, LogPolicy
from services.model_serving.signature import ModelInput
from tests.unit.model_serving.doubles import model_of

ALL = LogPolicy(1.0, frozenset())


def served(rows: int = 1, predictions: object = None, given: ModelInput | None = None) -> Served:
    loaded = model_of()
    given = given or ModelInput.of_matrix(np.arange(rows, dtype=np.float64)[:, None], pd.Index(["x"]))
    answer = np.zeros(rows) if predictions is None else predictions
    return Served(loaded.identity, "primary", "default", "r1", None, loaded, given, None, answer)


def observer(queue_size: int = 10, rows_per_second: float = 1e6, max_rows: int = 100) -> PredictionObserver:
    now = datetime.now(UTC)
    policies = LogPolicies(lambda name: RegisteredModel(name, "", {}, {}, now, now), 1.0)
    return PredictionObserver(policies, queue_size=queue_size, rows_per_second=rows_per_second, max_rows=max_rows)


def entry(answer: Served, max_rows: int = 100, policy: LogPolicy = ALL):
    return make_entry(Noted(answer, datetime.now(UTC), policy), max_rows)


class TestObserve:
    def test_holds_no_more_than_the_queue(self) -> None:
        watching = observer(queue_size=3)
        for _ in range(5):
            watching.observe(served())
        assert len(watching.take(100)) == 3
        watching.observe(served())
        assert len(watching.take(100)) == 1

    def test_holds_no_more_rows_than_memory_allows(self) -> None:
        watching = observer(queue_size=1000)
        for _ in range(30):
            watching.observe(served(rows=10_000))
        assert len(watching.take(1000)) == 10

    def test_lets_a_burst_through_and_then_the_rate(self) -> None:
        watching = observer(queue_size=1000, rows_per_second=1.0, max_rows=5)
        for _ in range(100):
            watching.observe(served())
        assert 10 <= len(watching.take(1000)) <= 12


class TestEntry:
    def test_text_is_cut_and_zero_bytes_are_replaced(self) -> None:
        given = ModelInput(pd.DataFrame({"x": ["a" * 5000, "b\x00c"]}), 2)
        made = entry(served(2, given=given))
        assert made.inputs is not None
        values = orjson.loads(made.inputs)["x"]
        assert (len(values[0]), values[1]) == (1000, "b c")

    def test_what_json_has_no_number_for_is_null(self) -> None:
        made = entry(served(2, predictions=np.array([np.nan, np.inf])))
        assert made.predictions == '{"prediction":[null,null]}'

    def test_content_of_an_unknown_kind_is_not_written(self) -> None:
        class Secret:
            def __repr__(self) -> str:
                return "secret"

        made = entry(served(1, given=ModelInput(pd.DataFrame({"x": [Secret()]}), 1)))
        assert made.inputs == '{"x":["(Secret)"]}'

    def test_images_are_left_out(self) -> None:
        made = entry(served(2, given=ModelInput(np.zeros((2, 8, 8)), 2)))
        assert made.inputs is None

    def test_an_answer_for_all_rows_together_is_kept_whole(self) -> None:
        made = entry(served(300, predictions=pd.DataFrame({"day": [1, 2], "y": [0.5, 0.6]})), max_rows=10)
        assert made.whole
        assert made.positions == list(range(290, 300))
        assert made.predictions == '{"day":[1,2],"y":[0.5,0.6]}'

    @pytest.mark.parametrize("excluded", ["x", "*"])
    def test_excluded_inputs_are_left_out(self, excluded: str) -> None:
        assert entry(served(2), policy=LogPolicy(1.0, frozenset({excluded}))).inputs is None


class TestColumns:
    def test_texts_that_look_like_escapes_stay_json(self) -> None:
        made = entry(served(3, predictions=["\\u0000", "a\0b", "\ud800"]))
        assert orjson.loads(str(made.predictions)) == {"prediction": ["\\u0000", "a b", "?"]}

    @pytest.mark.parametrize("unit", ["s", "us", "ns"])
    @pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
    def test_times_and_long_texts_are_described_as_in_training(self, unit: str, zone: str | None) -> None:
        times = pd.Series(pd.date_range("2026-01-01", periods=300, freq="h", unit=unit, tz=zone))
        texts = [f"{number} " + "x" * (900 + number) for number in range(300)]
        frame = pd.DataFrame({"time": times, "text": texts, "span": times - times[0]})
        made = entry(served(300, predictions=frame), max_rows=300)
        logged = {name: np.array(column, dtype=object) for name, column in orjson.loads(str(made.predictions)).items()}
        found = compare(make_profile(frame), logged, {})
        assert {drift.name for drift in found} == {"time", "text", "span"}
        assert all(drift.p_adjusted > 0.9 for drift in found)
