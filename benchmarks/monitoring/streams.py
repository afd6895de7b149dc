"""Synthetic streams of rows with known drift."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Change = Callable[[np.random.Generator, pd.DataFrame], pd.DataFrame]
CITIES = ["ash", "birch", "cedar", "elm", "fir"]
SHARES = [0.4, 0.3, 0.15, 0.1, 0.05]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of drift, or none."""

    name: str
    drifted: bool
    change: Change


def draw(generator: np.random.Generator, rows: int, columns: int) -> pd.DataFrame:
    """Draw independent rows: normal, skewed, rounded, with many zeros, counts, categories and missing values."""
    frame: dict[str, object] = {"n0": generator.normal(size=rows)}
    for number in range(columns - 6):
        frame[f"n{number + 1}"] = generator.normal(number, 1 + number / 10, size=rows)
    frame["skewed"] = generator.lognormal(size=rows)
    frame["rounded"] = np.round(generator.normal(20, 5, size=rows), 1)
    frame["zeros"] = np.where(generator.random(rows) < 0.6, 0.0, generator.exponential(size=rows))
    holes = generator.normal(size=rows)
    holes[generator.random(rows) < 0.02] = np.nan
    frame["holes"] = holes
    frame["city"] = generator.choice(CITIES, rows, p=SHARES)
    return pd.DataFrame(frame)


def _shift(by: float) -> Change:
    return lambda _, frame: frame.assign(n0=frame["n0"] + by)


def _scale(by: float) -> Change:
    return lambda _, frame: frame.assign(n0=frame["n0"] * by)


def _swap(_: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(city=frame["city"].replace({"ash": "elm", "elm": "ash"}))


def _unseen(share: float) -> Change:
    def change(generator: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(city=frame["city"].where(generator.random(len(frame)) >= share, "willow"))

    return change


def _missing(share: float) -> Change:
    def change(generator: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(n0=frame["n0"].where(generator.random(len(frame)) >= share))

    return change


SCENARIOS = (
    Scenario("none", drifted=False, change=lambda _, frame: frame),
    Scenario("shift 0.25 sd", drifted=True, change=_shift(0.25)),
    Scenario("shift 0.5 sd", drifted=True, change=_shift(0.5)),
    Scenario("shift 1 sd", drifted=True, change=_shift(1.0)),
    Scenario("scale x 1.5", drifted=True, change=_scale(1.5)),
    Scenario("scale x 2", drifted=True, change=_scale(2.0)),
    Scenario("two categories swapped", drifted=True, change=_swap),
    Scenario("5 % unseen category", drifted=True, change=_unseen(0.05)),
    Scenario("1 % missing", drifted=True, change=_missing(0.01)),
    Scenario("5 % missing", drifted=True, change=_missing(0.05)),
)
