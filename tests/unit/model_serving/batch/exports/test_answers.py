"""Answers as columns: of one type in the whole file, whatever is in a part of it."""

from typing import Any

import pytest

from services.model_serving.batch.exports.answers import MOST_COLUMNS, AnswerKinds, columns_of


def columns(answers: list[Any], *, part: slice = slice(None)) -> dict[str, tuple[str, list[Any]]]:
    kinds = AnswerKinds()
    for answer in answers:
        if answer is not ABSENT:
            kinds.note(answer)
    shown = [None if answer is ABSENT else answer for answer in answers[part]]
    return {name: (str(column.type), column.to_pylist()) for name, column in columns_of(shown, kinds.types()).items()}


ABSENT = object()


class TestColumns:
    @pytest.mark.parametrize(
        ("answers", "kind", "values"),
        [
            ([1, ABSENT, 2], "int64", [1, None, 2]),
            ([1, 2.5, None], "double", [1.0, 2.5, None]),
            ([True, None], "bool", [True, None]),
            (["a", ABSENT], "string", ["a", None]),
            ([True, 1], "string", ["true", "1"]),
            (["a", 1], "string", ['"a"', "1"]),
            ([[1, 2], "a"], "string", ["[1,2]", '"a"']),
            ([2**62, 1], "int64", [2**62, 1]),
            ([2**62, 0.5], "string", [str(2**62), "0.5"]),
            ([2**63], "string", [str(2**63)]),
            ([None, ABSENT], "string", [None, None]),
            ([{}, {"a": 1}], "string", ["{}", '{"a":1}']),
            ([{"a": 1}, 2], "string", ['{"a":1}', "2"]),
        ],
    )
    def test_one(self, answers: list[Any], kind: str, values: list[Any]) -> None:
        assert columns(answers) == {"prediction": (kind, values)}

    def test_several(self) -> None:
        answers = [{"label": "x", "score": 1}, ABSENT, {"score": 0.5, "box": [1, 2]}]
        assert columns(answers) == {
            "prediction_label": ("string", ["x", None, None]),
            "prediction_score": ("double", [1.0, None, 0.5]),
            "prediction_box": ("string", [None, None, "[1,2]"]),
        }

    def test_no_answers_at_all(self) -> None:
        assert columns([ABSENT]) == {"prediction": ("string", [None])}

    def test_a_part_has_the_types_of_the_whole(self) -> None:
        assert columns([1, "a"], part=slice(0, 1)) == {"prediction": ("string", ["1"])}
        assert columns([1, 0.5], part=slice(0, 1)) == {"prediction": ("double", [1.0])}

    def test_a_model_that_invents_keys_does_not_make_columns_without_end(self) -> None:
        answers = [{str(number): number} for number in range(MOST_COLUMNS + 1)]
        assert list(columns(answers)) == ["prediction"]
