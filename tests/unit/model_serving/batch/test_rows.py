"""Items are scored together where that is allowed, and each has an outcome of its own."""

from typing import Any

import orjson
import pandas as pd
import pytest

from services.model_serving.batch.scoring.rows import CALL_ITEMS, results_of, score_items, scored
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.signature import ModelInput
from tests.unit.model_serving.doubles import model_of

BAD = 13.0


class Calls:
    """A model that doubles, counts its calls, and breaks on one number."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.rows: list[int] = []
        self._error = error

    def __call__(self, given: ModelInput, _params: Any) -> Any:
        values = given.matrix[:, 0]
        self.rows.append(len(values))
        if self._error is not None and BAD in values:
            raise self._error
        return values * 2


def model_with(predict: Any, *, row_wise: bool = True) -> LoadedModel:
    return model_of(predict, row_wise=row_wise, max_rows=CALL_ITEMS)


def items(count: int) -> list[dict[str, float]]:
    return [{"x": float(number)} for number in range(count)]


def nothing() -> None:
    """Go on."""


def outputs(outcomes: list[tuple[str | None, str | None]]) -> list[Any]:
    return [None if output is None else orjson.loads(output) for output, _ in outcomes]


class TestTogether:
    def test_rows_share_calls(self) -> None:
        calls = Calls()
        outcomes = score_items(model_with(calls), items(CALL_ITEMS + 6), {}, nothing)
        assert outputs(outcomes) == [2.0 * number for number in range(CALL_ITEMS + 6)]
        assert calls.rows == [CALL_ITEMS, 6]

    def test_rows_of_a_model_that_looks_at_all_of_them_do_not(self) -> None:
        calls = Calls()
        outcomes = score_items(model_with(calls, row_wise=False), items(3), {}, nothing)
        assert outputs(outcomes) == [0.0, 2.0, 4.0]
        assert calls.rows == [1, 1, 1]

    def test_records_and_columns_are_told_apart(self) -> None:
        frame = model_with(lambda given, _: pd.DataFrame({"y": given.matrix[:, 0]}))
        columns = model_with(lambda given, _: {"y": given.matrix[:, 0]})
        for model in (frame, columns):
            assert outputs(score_items(model, items(2), {}, nothing)) == [{"y": 0.0}, {"y": 1.0}]

    def test_one_answer_for_all_is_asked_for_each(self) -> None:
        model = model_with(lambda given, _: [float(given.matrix.sum())])
        assert outputs(score_items(model, items(3), {}, nothing)) == [0.0, 1.0, 2.0]


class TestBlame:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (ValueError("no"), "inputs_refused"),
            (RuntimeError("no"), "model_failed"),
            (SystemExit(1), "model_failed"),
        ],
    )
    def test_the_item_that_breaks_the_model_fails_alone(self, error: BaseException, code: str) -> None:
        outcomes = score_items(model_with(Calls(error)), items(20), {}, nothing)
        assert [place for place, (output, _) in enumerate(outcomes) if output is None] == [int(BAD)]
        assert orjson.loads(outcomes[int(BAD)][1])["code"] == code

    def test_items_that_do_not_fit_are_named_within_themselves(self) -> None:
        given = [{"x": 1.0}, {"x": "text"}, {}, 7]
        outcomes = score_items(model_with(Calls()), given, {}, nothing)
        assert outcomes[0] == ("2.0", None)
        errors = [orjson.loads(error) for _, error in outcomes[1:]]
        assert {error["code"] for error in errors} == {"invalid_inputs"}
        assert [error["errors"][0]["field"] for error in errors[:2]] == ["item.x", "item.x"]
        assert errors[2]["errors"][0]["field"].startswith("item")

    def test_parameters_that_the_model_does_not_know_fail_every_item(self) -> None:
        outcomes = score_items(model_with(Calls()), items(2), {"colour": "red"}, nothing)
        assert outputs(outcomes) == [None, None]


class TestStop:
    def test_it_is_asked_before_each_call(self) -> None:
        calls = Calls()

        def check() -> None:
            if calls.rows:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            score_items(model_with(calls), items(2 * CALL_ITEMS), {}, check)
        assert calls.rows == [CALL_ITEMS]


class TestTurn:
    def test_items_for_which_there_is_no_time_are_left(self) -> None:
        calls = Calls()
        parts = [slice(0, 1), slice(1, 5)]
        outcomes = score_items(model_with(calls), items(9), {}, nothing, cut=lambda _, __: iter(parts))
        assert calls.rows == [1, 4]
        found = scored([3, 4, 5, 6, 8, 9, 10, 11, 12], outcomes)
        assert ([one.item for one in found.results], found.rest) == ([3, 4, 5, 6, 8], 4)


class TestResults:
    def test_each_has_its_number(self) -> None:
        found = results_of([4, 9], [("1", None), (None, "{}")])
        assert [(one.item, one.state, one.output, one.error) for one in found] == [
            (4, "succeeded", "1", None),
            (9, "failed", None, "{}"),
        ]
