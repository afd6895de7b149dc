"""How often drift is found: rates on seeded streams, with bounds that chance does not break."""

import numpy as np
import pandas as pd
import pytest

from mlplatform.monitoring.columns import to_columns
from mlplatform.monitoring.drift import ColumnDrift, compare
from mlplatform.monitoring.profile import make_profile

REFERENCE_ROWS = 3000
CITIES, SHARES = ["ash", "birch", "cedar", "elm"], [0.5, 0.3, 0.15, 0.05]
ALL = slice(None)


def draw(generator: np.random.Generator, rows: int, columns: int = 6) -> pd.DataFrame:
    frame = pd.DataFrame(generator.normal(size=(rows, columns)), columns=[f"n{number}" for number in range(columns)])
    frame["skewed"] = generator.lognormal(size=rows)
    frame["rounded"] = np.round(generator.normal(20, 5, size=rows))
    frame["zeros"] = np.where(generator.random(rows) < 0.6, 0.0, generator.exponential(size=rows))
    frame["holes"] = np.where(generator.random(rows) < 0.02, np.nan, generator.normal(size=rows))
    frame["city"] = generator.choice(CITIES, rows, p=SHARES)
    return frame


def found(seed: int, rows: int, change=lambda _, frame: frame, only: slice = ALL) -> dict[str, ColumnDrift]:
    generator = np.random.default_rng(seed)
    profile = make_profile(draw(generator, REFERENCE_ROWS).loc[:, only])
    window = change(generator, draw(generator, rows)).loc[:, only]
    return {column.name: column for column in compare(profile, to_columns(window), {})}


class TestUndrifted:
    def test_flags_seldom(self) -> None:
        windows = [found(seed, 200) for seed in range(150)]
        flagged = sum(any(column.level != "none" for column in window.values()) for window in windows)
        assert flagged <= 6  # at 1 % a window, more come by chance once in two thousand times

    def test_never_alarms_where_a_thousand_rows_tell_chance_from_change(self) -> None:
        windows = [found(seed, 1000) for seed in range(100)]
        assert not any(column.level == "major" for window in windows for column in window.values())

    def test_probabilities_of_one_column_are_spread_evenly(self) -> None:
        columns = [found(seed, 500, only=slice("n0", "n0"))["n0"] for seed in range(150)]
        for name in ("p", "psi_p"):
            shares = [sum(getattr(column, name) < level for column in columns) / 150 for level in (0.1, 0.5)]
            assert shares[0] == pytest.approx(0.1, abs=0.08)
            assert shares[1] == pytest.approx(0.5, abs=0.13)


def swap(_, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(city=frame["city"].replace({"ash": "cedar", "cedar": "ash"}))


def blank(generator: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(n0=frame["n0"].where(generator.random(len(frame)) > 0.1))


def unseen(generator: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(city=frame["city"].where(generator.random(len(frame)) > 0.1, "willow"))


class TestDrifted:
    @pytest.mark.parametrize(
        ("column", "change"),
        [
            ("n0", lambda _, frame: frame.assign(n0=frame["n0"] + 0.6)),
            ("n0", lambda _, frame: frame.assign(n0=frame["n0"] * 2)),
            ("city", swap),
            ("city", unseen),
            ("n0", blank),
        ],
        ids=["shift", "scale", "swapped categories", "unseen category", "missing values"],
    )
    def test_raises_the_alarm_for_the_column_and_no_other(self, column: str, change) -> None:
        windows = [found(seed, 500, change) for seed in range(20)]
        assert sum(window[column].level == "major" for window in windows) >= 19
        others = [drift for window in windows for name, drift in window.items() if name != column]
        assert sum(drift.level == "major" for drift in others) == 0

    def test_a_small_change_of_many_rows_is_significant_and_no_alarm(self) -> None:
        column = found(1, 20_000, lambda _, frame: frame.assign(n0=frame["n0"] + 0.12))["n0"]
        assert column.level == "minor"

    def test_a_column_that_is_all_missing_raises_the_alarm(self) -> None:
        column = found(2, 300, lambda _, frame: frame.assign(n1=np.nan))["n1"]
        assert (column.level, column.missing) == ("major", 1.0)

    def test_a_column_that_became_constant_raises_the_alarm(self) -> None:
        assert found(3, 300, lambda _, frame: frame.assign(n1=0.0))["n1"].level == "major"


class TestUnknownColumns:
    def test_are_left_out_on_either_side(self) -> None:
        profile = make_profile(pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0)}))
        [drift] = compare(profile, {"a": np.arange(100.0), "c": np.arange(100.0)}, {})
        assert drift.name == "a"

    def test_nothing_to_compare_gives_no_findings(self) -> None:
        assert compare(make_profile(pd.DataFrame({"a": np.arange(50.0)})), {}, {}) == ()
