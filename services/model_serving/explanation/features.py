"""From a caller's columns to the features that an estimator was fitted on, and back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from services.model_serving.errors import NotExplainable
from services.model_serving.explanation.explanation import Table
from services.model_serving.explanation.lineage import Sources, sources_of


@dataclass(frozen=True, slots=True)
class Features:
    """What an estimator looks at.

    Attributes:
        steps: transform, one after the other.
        sources: (features,) the column of each, counted as at the training; None when features are the columns.
        names: the columns at the training, where they had names and are found by them.
    """

    steps: Sequence[Callable[[Any], Any]] = ()
    sources: Sources | None = None
    names: Sequence[str] | None = None

    def of(self, table: Table) -> Any:  # noqa: ANN401 (a DataFrame, an array or a sparse matrix)
        """Return the features of a table."""
        for step in self.steps:
            table = step(table)
        return table

    def columns(self, table: Table) -> Sources:
        """Return the column in the table of each feature, (features,)."""
        if self.sources is None:
            return np.arange(table.shape[1])
        if self.names is None or not isinstance(table, pd.DataFrame):
            return self.sources
        return np.asarray(table.columns.get_indexer(pd.Index(self.names)), dtype=np.intp)[self.sources]

    def gather(self, contributions: npt.NDArray[np.float64], table: Table) -> npt.NDArray[np.float64]:
        """Add up what the features of each column contribute.

        Args:
            contributions: (rows, features, outputs).
            table: with the columns.

        Returns:
            (rows, columns, outputs).
        """
        rows, _, outputs = contributions.shape
        total = np.zeros((table.shape[1], rows, outputs))
        np.add.at(total, self.columns(table), contributions.transpose(1, 0, 2))
        return total.transpose(1, 0, 2)


@dataclass(frozen=True, slots=True)
class Taken:
    """A scikit-learn model, taken apart.

    Attributes:
        whole: what takes the caller's columns.
        final: the estimator at its end.
        features: what that one looks at.
    """

    whole: Any
    final: Any
    features: Features


def take_apart(model: Any) -> Taken:  # noqa: ANN401 (any estimator)
    """Find the estimator at the end of searches and pipelines, and the way to it.

    Raises:
        NotExplainable: columns get mixed on the way.
    """
    final, steps = model, []
    while isinstance(final, Pipeline | GridSearchCV | RandomizedSearchCV):
        if isinstance(final, GridSearchCV | RandomizedSearchCV):
            final = final.best_estimator_
            continue
        if len(final.steps) > 1:
            steps.append(final[:-1])
        final = final.steps[-1][1]
    if not steps:
        return Taken(model, final, Features())
    parts = [part for step in steps for _, part in step.steps if part not in {None, "passthrough"}]
    first = (*parts, final)[0]
    if not hasattr(first, "n_features_in_"):
        raise NotExplainable("begins with a step that does not say how many columns it takes")
    sources: Sources = np.arange(first.n_features_in_)
    for step in steps:
        sources = sources_of(step, sources)
    names = getattr(first, "feature_names_in_", None)
    transforms = [step.transform for step in steps]
    return Taken(model, final, Features(transforms, sources, None if names is None else list(names)))


def dense(features: Any) -> npt.NDArray[Any]:  # noqa: ANN401 (a DataFrame, an array or a sparse matrix)
    """Return features as an array."""
    return np.asarray(features.toarray() if hasattr(features, "toarray") else features)
