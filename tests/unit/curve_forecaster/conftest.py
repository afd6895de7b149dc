"""The training program is run by path, so its folder is where its modules are found."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "training" / "curve_forecaster"))

from collections.abc import Callable

import pandas as pd
import pytest
from curves import YIELD
from dataset import Dataset, make_dataset
from forecaster import Array
from model import Recipe
from simulate import simulate

LOOKBACK, HORIZONS = 10, (1, 5)


@pytest.fixture(scope="session")
def yields() -> pd.DataFrame:
    """200 days of simulated yields."""
    return simulate(YIELD, 200, seed=1)


@pytest.fixture(scope="session")
def dataset(yields: pd.DataFrame) -> Dataset:
    return make_dataset(YIELD, yields, source="simulation", path=None, lookback=LOOKBACK, longest=HORIZONS[-1])


@pytest.fixture(scope="session")
def values(dataset: Dataset) -> Array:
    return dataset.values


@pytest.fixture(scope="session")
def recipe(dataset: Dataset) -> Callable[..., Recipe]:
    """Make recipes for the dataset, with the learners named."""

    def make(*learners: str) -> Recipe:
        return Recipe(dataset.tenors, HORIZONS, LOOKBACK, False, learners, dataset.minimum, 7)

    return make


@pytest.fixture
def curve_file(tmp_path: Path) -> Callable[..., Path]:
    """Write lines, or bytes, to a file of curves."""

    def write(*lines: str, raw: bytes | None = None) -> Path:
        path = tmp_path / "curves.csv"
        path.write_bytes(raw if raw is not None else "\n".join(lines).encode())
        return path

    return write
