"""Which column each feature of a transformed table was made of.

Only transformers are known here whose every output looks at one input. Then columns stay apart on the way through, and
what a feature contributes is what its column contributes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

from services.model_serving.errors import NotExplainable

Sources = npt.NDArray[np.intp]
ONE_TO_ONE = (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)


def sources_of(transformer: Any, sources: Sources) -> Sources:  # noqa: ANN401 (scikit-learn's have no common type)
    """Follow columns through a fitted transformer.

    Args:
        transformer: or "passthrough" or "drop".
        sources: (inputs,) the column that each of its inputs was made of.

    Returns:
        (outputs,) the column that each of its outputs was made of.

    Raises:
        NotExplainable: an output is made of several inputs, or nobody knows.
    """
    if isinstance(transformer, str):
        return sources[: 0 if transformer == "drop" else None]
    if transformer is None or isinstance(transformer, ONE_TO_ONE) or _is_identity(transformer):
        return sources
    for kind, follow in _FOLLOW.items():
        if isinstance(transformer, kind):
            return np.asarray(follow(transformer, sources))
    if hasattr(transformer, "get_support"):  # a selection of features
        return np.asarray(sources[transformer.get_support()])
    raise NotExplainable(f"has the step {type(transformer).__name__}, behind which its columns cannot be told apart")


def _is_identity(transformer: object) -> bool:
    if isinstance(transformer, FunctionTransformer):
        return transformer.func is None
    return isinstance(transformer, TargetEncoder) and transformer.target_type_ != "multiclass"


def _pipeline(pipeline: Pipeline, sources: Sources) -> Sources:
    for _, step in pipeline.steps:
        sources = sources_of(step, sources)
    return sources


def _union(union: FeatureUnion, sources: Sources) -> Sources:
    return np.concatenate([sources_of(part, sources) for _, part in union.transformer_list])


def _columns(transformer: ColumnTransformer, sources: Sources) -> Sources:
    pieces = transformer.output_indices_
    result = np.full(max(piece.stop for piece in pieces.values()), -1, dtype=np.intp)
    names = getattr(transformer, "feature_names_in_", range(transformer.n_features_in_))
    positions = pd.Series(range(transformer.n_features_in_), index=pd.Index(names, dtype=object))
    for name, part, columns in transformer.transformers_:
        chosen = sources[_positions(positions, columns)]
        if len(chosen):
            result[pieces[name]] = sources_of(part, chosen)
    return result


def _positions(positions: pd.Series, columns: Any) -> Sources:  # noqa: ANN401 (any of scikit-learn's many ways to name columns)
    first = columns.start if isinstance(columns, slice) else next(iter(np.atleast_1d(columns).tolist()), 0)
    by_name = isinstance(first, str)
    found = positions.loc[columns] if by_name else positions.to_numpy()[columns]
    return np.atleast_1d(np.asarray(found, dtype=np.intp))


def _one_hot(encoder: OneHotEncoder, sources: Sources) -> Sources:
    rare = getattr(encoder, "infrequent_categories_", [None] * len(sources))
    dropped = [None] * len(sources) if encoder.drop_idx_ is None else encoder.drop_idx_
    counts = [
        len(categories) - (0 if few is None else len(few) - 1) - (gone is not None)
        for categories, few, gone in zip(encoder.categories_, rare, dropped, strict=True)
    ]
    return np.repeat(sources, counts)


def _bins(transformer: KBinsDiscretizer, sources: Sources) -> Sources:
    return sources if transformer.encode == "ordinal" else np.repeat(sources, transformer.n_bins_)


def _splines(transformer: SplineTransformer, sources: Sources) -> Sources:
    return np.repeat(sources, transformer.n_features_out_ // len(sources))


def _imputer(imputer: SimpleImputer, sources: Sources) -> Sources:
    empty = np.asarray(pd.isna(imputer.statistics_))
    kept = sources if imputer.keep_empty_features or imputer.strategy == "constant" else sources[~empty]
    return np.concatenate([kept, _indicator(imputer.indicator_, sources)]) if imputer.add_indicator else kept


def _indicator(indicator: MissingIndicator, sources: Sources) -> Sources:
    return np.asarray(sources[indicator.features_])


_FOLLOW: dict[type, Any] = {
    Pipeline: _pipeline,
    FeatureUnion: _union,
    ColumnTransformer: _columns,
    OneHotEncoder: _one_hot,
    KBinsDiscretizer: _bins,
    SplineTransformer: _splines,
    SimpleImputer: _imputer,
    MissingIndicator: _indicator,
}
