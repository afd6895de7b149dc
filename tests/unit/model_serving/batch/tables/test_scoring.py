"""Blocks are scored together where that is allowed, and each row has an outcome of its own."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from services.model_serving.batch.scoring.turn import Pace, Turn
from services.model_serving.batch.tables.block import Block
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.doubts import Doubts
from services.model_serving.batch.tables.scoring import CALL_ROWS, score_block
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.signature import ModelInput
from tests.unit.model_serving.doubles import model_of

BAD = 13.0


class Calls:
    """A model that doubles, counts its calls, and refuses some rows."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.rows: list[int] = []
        self._error = error

    def __call__(self, given: ModelInput, _params: Any) -> Any:
        values = given.matrix[:, 0]
        self.rows.append(len(values))
        if np.isnan(values).any():
            raise ValueError
        if self._error is not None and BAD in values:
            raise self._error
        return values * 2


def model_with(predict: Any, *, row_wise: bool = True) -> LoadedModel:
    return model_of(predict, row_wise=row_wise)


def score(model: LoadedModel, values: Any, params: dict[str, Any] | None = None, check: Any = lambda: None) -> pa.Table:
    block = Block(len(values), pa.table({"x": pa.array(values, pa.float64())}))
    return score_block(model, block, Columns.of(model.declared), params or {}, check)


class TestTogether:
    def test_rows_share_calls(self) -> None:
        calls = Calls()
        found = score(model_with(calls), np.arange(100.0, 100.0 + CALL_ROWS + 6))
        assert found.column("prediction").to_pylist() == [2.0 * row for row in range(100, 106 + CALL_ROWS)]
        assert found.column("code").null_count == found.column("error").null_count == found.num_rows
        assert calls.rows == [CALL_ROWS, 6]

    def test_rows_of_a_model_that_looks_at_all_of_them_do_not(self) -> None:
        calls = Calls()
        score(model_with(calls, row_wise=False), [0.0, 1.0, 2.0])
        assert calls.rows == [1, 1, 1]

    @pytest.mark.parametrize(
        ("answer", "columns"),
        [
            (lambda x: pd.DataFrame({"y": x, "z": "a"}), {"prediction_y": [0.0, 1.0], "prediction_z": ["a"] * 2}),
            (lambda x: {"y": x.astype(int)}, {"prediction_y": [0, 1]}),
            (lambda x: np.stack([x, -x], 1), {"prediction_0": [0.0, 1.0], "prediction_1": [0.0, -1.0]}),
            (lambda x: np.array(["no", "yes"])[x.astype(int)], {"prediction": ["no", "yes"]}),
            (lambda _: [{"label": "a"}, None], {"prediction": ['{"label":"a"}', None]}),
            (lambda _: [1, "a"], {"prediction": ["1", '"a"']}),
        ],
    )  # fmt: skip
    def test_answers_become_columns(self, answer: Any, columns: dict[str, list[Any]]) -> None:
        found = score(model_with(lambda given, _: answer(given.matrix[:, 0])), [0.0, 1.0])
        assert found.drop_columns(["item", "code", "error"]).to_pydict() == columns


class TestBlame:
    @pytest.mark.parametrize(
        ("error", "code"),
        [(ValueError("no"), "inputs_refused"), (RuntimeError("no"), "model_failed"), (SystemExit(1), "model_failed")],
    )
    def test_the_row_that_breaks_the_model_fails_alone(self, error: BaseException, code: str) -> None:
        found = score(model_with(Calls(error)), np.arange(100.0))
        errors = found.column("error").to_pylist()
        assert [row for row, text in enumerate(errors) if text is not None] == [int(BAD)]
        assert found.column("code").to_pylist() == [code if row == BAD else None for row in range(100)]
        assert found.column("prediction").to_pylist() == [None if row == BAD else 2.0 * row for row in range(100)]

    def test_rows_with_missing_values_do_not_cost_the_others_a_call_each(self) -> None:
        calls = Calls()
        values = [None if row % 100 == 0 else float(row) for row in range(1000)]
        found = score(model_with(calls), values)
        assert found.column("error").null_count == 990
        assert len(calls.rows) < 40

    def test_rows_with_faults_keep_their_place(self) -> None:
        model = model_with(Calls())
        block = Block(4, pa.table({"x": [1.0, 3.0]}), np.array([1, 3]), {0: "ragged", 2: "no number"})
        found = score_block(model, block, Columns.of(model.declared), {}, lambda: None)
        assert found.to_pydict() == {
            "item": [0, 1, 2, 3],
            "prediction": [None, 2.0, None, 6.0],
            "code": ["invalid_inputs", None, "invalid_inputs", None],
            "error": ["ragged", None, "no number", None],
        }

    def test_one_answer_for_all_is_asked_for_each(self) -> None:
        found = score(model_with(lambda given, _: [float(given.matrix.sum())]), [1.0, 2.0, 3.0])
        assert found.column("prediction").to_pylist() == [1.0, 2.0, 3.0]

    def test_parameters_that_the_model_does_not_know_fail_every_row(self) -> None:
        found = score(model_with(Calls()), [1.0, 2.0], {"colour": "red"})
        assert found.column("error").null_count == 0
        assert found.column("code").to_pylist() == ["invalid_inputs"] * 2

    def test_it_is_asked_before_each_call(self) -> None:
        def check() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            score(model_with(Calls()), [1.0], check=check)


class TestTurn:
    def test_results_are_those_of_the_rows_before_the_first_for_which_there_was_no_time(self) -> None:
        model = model_with(Calls())
        block = Block(6, pa.table({"x": [1.0, 2.0, 4.0]}), np.array([1, 2, 4]), {0: "a", 3: "b", 5: "c"})
        parts = [slice(0, 1), slice(1, 2)]
        columns = Columns.of(model.declared)
        found = score_block(model, block, columns, {}, lambda: None, cut=lambda _, __: iter(parts))
        assert found.to_pydict() == {
            "item": [0, 1, 2, 3],
            "prediction": [None, 2.0, 4.0, None],
            "code": ["invalid_inputs", None, None, "invalid_inputs"],
            "error": ["a", None, None, "b"],
        }

    def test_rows_none_of_which_can_be_scored_need_none(self) -> None:
        model = model_with(Calls())
        block = Block(2, pa.table({"x": pa.array([], pa.float64())}), np.array([], np.int64), {0: "a", 1: "b"})
        turn = Turn(1.0, Pace()).cut
        found = score_block(model, block, Columns.of(model.declared), {}, lambda: None, cut=turn)
        assert found.column("error").to_pylist() == ["a", "b"]


def doubted(predict: Any, values: Any, below: float = 0.8, first: int = 100) -> tuple[pa.Table, Doubts]:
    """Score rows of a chunk that begins with an item of this number."""
    model = model_with(predict)
    columns = Columns.of(model.declared)
    doubts = Doubts(below, columns, first)
    block = Block(len(values), pa.table({"x": pa.array(values, pa.float64())}))
    return score_block(model, block, columns, {}, lambda: None, doubts=doubts), doubts


def shares(given: ModelInput, _: Any) -> Any:
    values = given.matrix[:, 0]
    return np.column_stack([values, 1 - values])


SHAPES = {
    "a matrix of probabilities": shares,
    "a table with labels": lambda given, _: pd.DataFrame({"label": "a", "score": given.matrix[:, 0]}),
    "columns with labels": lambda given, _: {
        "label": ["a"] * len(given.matrix),
        "confidence": pd.Series(given.matrix[:, 0]),
    },
    "objects": lambda given, _: [{"label": "a", "probability": value} for value in given.matrix[:, 0]],
}


class TestDoubts:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_rows_that_are_unsure_are_collected_with_what_was_asked_and_answered(self, shape: str) -> None:
        found, doubts = doubted(SHAPES[shape], [0.9, 0.75, 1.0, 0.6])
        assert found.num_rows == 4
        assert [(one.item, one.input, one.confidence) for one in doubts.rows] == [
            (101, '{"x":0.75}', 0.75),
            (103, '{"x":0.6}', 0.6),
        ]
        assert all("0.75" in one.output for one in doubts.rows[:1])

    def test_the_places_are_those_among_rows_that_fail_too(self) -> None:
        def predict(given: ModelInput, _: Any) -> Any:
            if BAD in given.matrix[:, 0]:
                raise ValueError
            return shares(given, _)

        found, doubts = doubted(predict, [BAD, 0.5, 1.0, BAD, 0.5])
        assert found.column("code").to_pylist() == ["inputs_refused", None, None, "inputs_refused", None]
        assert sorted(one.item for one in doubts.rows) == [101, 104]

    def test_what_does_not_say_how_sure_it_is_is_passed_over(self) -> None:
        _, doubts = doubted(lambda given, _: given.matrix[:, 0], [0.1, 0.2])
        assert doubts.rows == []

    def test_when_there_is_much_the_other_rows_are_left_for_another_turn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(f"{Doubts.__module__}.MOST", 10 * CALL_ROWS)
        found, doubts = doubted(shares, np.full(3 * CALL_ROWS, 0.5))
        assert found.num_rows == len(doubts.rows) == CALL_ROWS
