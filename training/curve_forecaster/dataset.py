"""The curves that a run trains on, and what was found in them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from mlplatform.training.failures import BadData

from curves import CurveKind
from data import read_curves
from forecaster import Array
from simulate import DAYS, simulate

INITIAL_SHARE = 0.4
"""Share of the days before the first block that is forecast."""
SPANS = 4
"""A tenor is learned once it has this many windows with their horizons, end to end."""


@dataclass(frozen=True)
class Dataset:
    """Daily curves, oldest first.

    Attributes:
        kind: What the values are.
        source: Where they are from, in words: a file name or a simulation.
        path: The file; None when simulated.
        frame: One row per day, one column per tenor, NaN where nothing was observed.
        left_out: Columns that were not used, each with its reason.
        empty_days: Days without any observation, which were left out.
        minimum: Observations that a tenor needs to be learned.
    """

    kind: CurveKind
    source: str
    path: Path | None
    frame: pd.DataFrame
    left_out: Mapping[str, str]
    empty_days: int
    minimum: int

    @property
    def tenors(self) -> tuple[str, ...]:
        """Names of the T columns."""
        return tuple(self.frame.columns)

    @property
    def values(self) -> Array:
        """The curves, (days, T)."""
        return self.frame.to_numpy(dtype=np.float64)

    @property
    def nullable(self) -> tuple[str, ...]:
        """Tenors with a blank somewhere."""
        return tuple(self.frame.columns[self.frame.isna().any()])

    @property
    def leading_blanks(self) -> dict[str, int]:
        """Days before the first observation, of the tenors that began later than the others."""
        first = {tenor: int(self.frame[tenor].notna().to_numpy().argmax()) for tenor in self.tenors}
        return {tenor: days for tenor, days in first.items() if days}

    @property
    def holes(self) -> dict[str, int]:
        """Blanks after the first observation, by tenor."""
        leading = self.leading_blanks
        blanks = {tenor: int(self.frame[tenor].isna().sum()) - leading.get(tenor, 0) for tenor in self.tenors}
        return {tenor: number for tenor, number in blanks.items() if number}

    @property
    def digest(self) -> str:
        """SHA-256 over days, tenors and values; it does not depend on how the file was written."""
        state = hashlib.sha256("\n".join(self.tenors).encode())
        state.update(np.ascontiguousarray(self.frame.index.to_numpy("datetime64[D]").astype("<i8")).tobytes())
        state.update(np.ascontiguousarray(self.values.astype("<f8")).tobytes())
        return state.hexdigest()

    def describe(self) -> dict[str, str]:
        """Return what a run records about its data."""
        return {
            "source": self.source,
            "digest": self.digest,
            "rows": str(len(self.frame)),
            "first_day": str(self.frame.index[0].date()),
            "last_day": str(self.frame.index[-1].date()),
            "tenors": ", ".join(self.tenors),
            "left_out": _join(self.left_out),
            "leading_blanks": _join(self.leading_blanks),
            "holes": _join(self.holes),
            "empty_days": str(self.empty_days),
            "unit": self.kind.unit,
        }


def load_dataset(
    kind: CurveKind, path: Path | None, *, rows: int | None, seed: int, lookback: int, longest: int
) -> Dataset:
    """Read or simulate the curves of a run.

    Args:
        kind: The kind of curve.
        path: A CSV file; simulated when None.
        rows: Days to simulate, or the last days of the file to use.
        seed: Of the simulation.
        lookback: Days of history that a forecast needs.
        longest: The longest horizon in days.

    Raises:
        BadData: The file cannot be used, or there are too few days.
    """
    if path is None:
        frame, source = simulate(kind, rows or DAYS, seed), f"simulation (seed {seed})"
    else:
        frame, source = read_curves(path, kind), path.name
        frame = frame.iloc[-rows:] if rows else frame
    return make_dataset(kind, frame, source=source, path=path, lookback=lookback, longest=longest)


def make_dataset(
    kind: CurveKind, frame: pd.DataFrame, *, source: str, path: Path | None, lookback: int, longest: int
) -> Dataset:
    """Leave out what cannot be learned, with the reason.

    Args:
        kind: The kind of curve.
        frame: One row per day, oldest first; one column per tenor.
        source: Where the curves are from.
        path: The file they are from.
        lookback: Days of history that a forecast needs.
        longest: The longest horizon in days.

    Raises:
        BadData: There are too few days, or no tenor has enough observations.
    """
    minimum = SPANS * (lookback + longest)
    place = source if path is None else str(path)
    observed_days = frame.notna().any(axis=1)
    empty_days = int((~observed_days).sum())
    frame = frame[observed_days]
    needed = ceil(minimum / INITIAL_SHARE)
    if len(frame) < needed:
        raise BadData(
            f"{place}: {len(frame)} days with observations; a lookback of {lookback} and horizons up to {longest} "
            f"need {needed}"
        )
    counts = frame.notna().sum()
    left_out = {
        str(tenor): f"{count} observations in {len(frame)} days, fewer than {minimum}"
        for tenor, count in counts.items()
        if count < minimum
    }
    kept = frame.drop(columns=list(left_out))
    if kept.columns.empty:
        raise BadData(f"{place}: no column has {minimum} observations; {_join(left_out)}")
    return Dataset(kind, source, path, kept, left_out, empty_days, minimum)


def _join(found: Mapping[str, object]) -> str:
    return "; ".join(f"{tenor}: {what}" for tenor, what in found.items()) or "none"
