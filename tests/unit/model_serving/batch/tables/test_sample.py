"""What a report reads of the results of a table."""

from typing import Any

import pyarrow as pa
import pytest

from services.model_serving.batch.tables import sample
from services.model_serving.batch.tables.answers import columns_of
from services.model_serving.batch.tables.results import from_object, to_object
from services.model_serving.batch.tables.sample import answers_in
from services.model_serving.batch.tables.scoring import join_tables


def stored(answer: Any, rows: int) -> pa.Table:
    """Return a part of a table's results as another process reads it."""
    return from_object(to_object(pa.table(columns_of(answer, rows))))


class TestAnswersIn:
    @pytest.mark.parametrize(
        "answers",
        [
            pytest.param([{"label": "cat", "top": [1, 2]}, {"label": "dog"}], id="objects"),
            pytest.param([[0.25, 0.75], [1.5], []], id="lists"),
            pytest.param([{"label": "cat"}, None, "dog", 3], id="several kinds"),
            pytest.param(["[0, 10]", '{"a": 1}', "cat", None], id="texts that are JSON too"),
            pytest.param([1.5, None], id="numbers"),
        ],
    )
    def test_they_are_what_was_answered(self, answers: list[Any]) -> None:
        assert list(answers_in(stored(answers, len(answers)))) == answers

    def test_columns_have_their_names(self) -> None:
        table = stored({"label": ["[0, 10]", "[10, 20]"], "top": [[1], [2, 3]]}, 2)
        assert list(answers_in(table)) == [{"label": "[0, 10]", "top": [1]}, {"label": "[10, 20]", "top": [2, 3]}]

    def test_a_text_beside_objects_of_another_part_stays_one(self) -> None:
        joined = join_tables([stored(["a cat"], 1), stored([{"label": "cat"}], 1)])
        assert list(answers_in(joined)) == ["a cat", {"label": "cat"}]

    def test_many_are_read_a_few_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sample, "READ_ROWS", 2)
        read: list[int] = []
        monkeypatch.setattr(sample, "_read_text", lambda text: read.append(1) or text)
        next(answers_in(stored([[number] for number in range(9)], 9)))
        assert len(read) == 2
