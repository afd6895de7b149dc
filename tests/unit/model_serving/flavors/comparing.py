"""A model loaded as serving does it, against the same model asked as a user of MLflow would."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
from hypothesis import strategies as st
from mlflow.pyfunc import PyFuncModel

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.flavors.answers import cut_rows, difference
from services.model_serving.flavors.proof import ROW_TOLERANCES, narrowest_float
from services.model_serving.loading.serialization import unpickling
from tests.unit.model_serving.saved import load

COLUMNS = ("a", "b", "c", "d")
NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False) | st.integers(-1000, 1000)


@dataclass(frozen=True)
class Pair:
    """The two forms of one model."""

    served: LoadedModel
    reference: PyFuncModel

    def check(self, sent: Any, given: Any, tolerance: float = 0.0) -> None:
        """Send JSON to serving and data to MLflow; both answer the same or raise the same."""
        expected = outcome(self.reference.predict, given)
        read = self.served.signature.inputs.read(sent)
        answer = outcome(self.served.predict, read, self.served.signature.parameters.read({}))
        assert difference(answer, expected, tolerance) is None, (answer, expected)

    def check_rows(self, sent: Any) -> None:
        """Rows are answered together as each is alone."""
        read = self.served.signature.inputs.read(sent)
        together = self.served.predict(read, None)
        for row in range(read.rows):
            alone = self.served.predict(read.take(row, row + 1), None)
            tolerance = ROW_TOLERANCES[narrowest_float(alone)]
            assert difference(cut_rows(together, row, row + 1), alone, tolerance) is None


def pair(folder: Path, **settings: Any) -> Pair:
    """Load both forms from a folder."""
    served = load(folder, **settings)
    with unpickling(allowed=True):
        return Pair(served, mlflow.pyfunc.load_model(str(folder)))


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the answer, or what kind of error came instead."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 (whatever it is, the other form has to raise it too)
        return type(error)


@dataclass(frozen=True)
class Sent:
    """A table as a caller writes it, and as a user of MLflow would hand it over."""

    body: Any
    frame: pd.DataFrame


@st.composite
def tables(
    draw: st.DrawFn,
    columns: Mapping[str, npt.DTypeLike],
    *,
    optional: Sequence[str] = (),
    nulls: bool = True,
    most: int = 6,
) -> Sent:
    """Draw rows in any of the three forms, with nulls, whole numbers, columns in any order and some left out."""
    rows = draw(st.integers(1, most))
    left_out = draw(st.sets(st.sampled_from(optional))) if optional else set()
    names = draw(st.permutations([name for name in columns if name not in left_out]))
    table = {name: draw(_values(columns[name], rows, nulls=nulls)) for name in names}
    frame = pd.DataFrame({name: pd.Series(values, dtype=columns[name]) for name, values in table.items()})
    forms: list[Any] = [table, [dict(zip(names, row, strict=True)) for row in zip(*table.values(), strict=True)]]
    if not left_out:
        forms.append([list(row) for row in zip(*(table[name] for name in columns), strict=True)])
    return Sent(draw(st.sampled_from(forms)), frame)


def _values(dtype: npt.DTypeLike, rows: int, *, nulls: bool) -> st.SearchStrategy[list[Any]]:
    kind = np.dtype(dtype).kind
    if kind == "f":
        value = NUMBERS | st.none() if nulls else NUMBERS
    elif kind == "i":
        value = st.integers(-1000, 1000)
    else:
        value = st.sampled_from(["x", "y", "z"])
    return st.lists(value, min_size=rows, max_size=rows)


def training_data(rows: int = 200) -> tuple[pd.DataFrame, pd.Series]:
    """Return four columns, some of them null, and what is to be predicted from them."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame(random.normal(size=(rows, len(COLUMNS))) * 100, columns=list(COLUMNS))
    return frame, (frame["a"] - frame["b"] * 2 + random.normal(size=rows)).rename("y")
