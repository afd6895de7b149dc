"""Answers of models, as JSON."""

import datetime as dt

import numpy as np
import orjson
import pandas as pd
import pytest

from services.model_serving.engine.plain import render, to_plain
from services.model_serving.errors import ModelFailedError


def through_json(answer: object) -> object:
    return orjson.loads(render(to_plain(answer)))


class TestRender:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (np.array([1.5, np.nan, np.inf, -np.inf]), [1.5, None, None, None]),
            (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
            (np.array([[1.0, 2.0], [3.0, 4.0]], order="F"), [[1.0, 2.0], [3.0, 4.0]]),
            (np.array([1.5], dtype=np.float16), [1.5]),
            (np.array(["a", None], dtype=object), ["a", None]),
            (np.array(["a", "b"]), ["a", "b"]),
            (np.array([True, False]), [True, False]),
            (np.array(3.0), 3.0),
            (pd.Series([1.0, np.nan]), [1.0, None]),
            (pd.Series(["a", None]), ["a", None]),
            (pd.Series([1, 2], index=[7, 8]), [1, 2]),
            (
                pd.DataFrame({"x": [1.5, np.nan], "day": pd.to_datetime(["2020-01-02", None])}),
                [{"x": 1.5, "day": "2020-01-02T00:00:00"}, {"x": None, "day": None}],
            ),
            (pd.DataFrame({0: [1]}), [{"0": 1}]),
            ([np.float64("nan"), np.int64(2), b"hi"], [None, 2, "aGk="]),
            ({"curve": np.array([0.5])}, {"curve": [0.5]}),
            ([{"day": dt.date(2020, 1, 2)}], [{"day": "2020-01-02"}]),
            ("text", "text"),
        ],
    )
    def test_has_a_json_form(self, answer: object, expected: object) -> None:
        assert through_json(answer) == expected

    def test_what_has_none_is_the_fault_of_the_model(self) -> None:
        with pytest.raises(ModelFailedError):
            render(object())
