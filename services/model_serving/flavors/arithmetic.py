"""scikit-learn's common estimators as the few array operations that they are.

`Pipeline(StandardScaler, LogisticRegression).predict` takes 0.35 ms for one row (scikit-learn 1.9), of which 6 µs are
arithmetic; the rest checks what has been checked. The operations here are scikit-learn's own, in its order, so answers
are equal to the last bit; each model is compared with MLflow's when it is loaded, as with every shortcut.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from services.model_serving.flavors import forest, linear
from services.model_serving.flavors.predictor import Candidate, Predict
from services.model_serving.signature import ModelInput

Matrix: TypeAlias = npt.NDArray[Any]
Step: TypeAlias = Callable[[Matrix], Matrix]


def shortcut(model: BaseEstimator, function: str, *, otherwise: Predict) -> Candidate | None:
    """Return the arithmetic of a model; None when it is not of the kinds known here.

    Args:
        model: a fitted estimator.
        function: the method that MLflow calls.
        otherwise: called for inputs that the model may refuse, such as NaN, so that it refuses them in its own words,
            and for inputs that are no matrix.
    """
    *before, last = [part for _, part in model.steps] if type(model) is Pipeline else [model]
    steps = [_step(part) for part in before]
    known = [step for step in steps if step is not None]
    score = linear.score(last, function)
    single = score is None
    score = score or forest.score(last, function)
    if score is None or len(known) < len(steps):
        return None
    scored = score

    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401 (the common form)
        matrix: Matrix | None = inputs.matrix
        if matrix is None:
            return otherwise(inputs, params)
        for step in known:
            matrix = step(matrix)
        if single:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
                matrix = matrix.astype(np.float32)
        return scored(matrix) if np.isfinite(matrix).all() else otherwise(inputs, params)

    return Candidate(f"the arithmetic of {type(last).__name__}.{function}", predict)


def _step(part: Any) -> Step | None:  # noqa: ANN401 (any estimator)
    """Return what a transformer does to a matrix; the matrix itself stays as it is, for others read it too."""
    if type(part) is StandardScaler:
        mean, deviation = (part.mean_ if part.with_mean else None), (part.scale_ if part.with_std else None)
        return lambda matrix: _divided(matrix if mean is None else matrix - mean, deviation)
    if type(part) is MinMaxScaler and not part.clip:
        factor, offset = part.scale_, part.min_
        return lambda matrix: matrix * factor + offset
    if type(part) is SimpleImputer and not part.add_indicator and _fills_every_column(part):
        fill = part.statistics_
        return lambda matrix: _filled(matrix, fill)
    return None


def _divided(matrix: Matrix, deviation: Matrix | None) -> Matrix:
    return matrix if deviation is None else matrix / deviation


def _filled(matrix: Matrix, fill: Matrix) -> Matrix:
    filled = matrix.copy(order="K")  # the layout decides the order in which a product adds up
    np.copyto(filled, fill, where=np.isnan(matrix))
    return filled


def _fills_every_column(imputer: SimpleImputer) -> bool:
    fill, missing = imputer.statistics_, imputer.missing_values
    is_nan = isinstance(missing, float) and np.isnan(missing)
    return bool(is_nan and fill.dtype.kind == "f" and not np.isnan(fill).any())
