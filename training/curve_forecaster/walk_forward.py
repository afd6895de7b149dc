"""Forecasts of days that nothing was trained on, block after block in the order of time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features import windows
from folds import Block
from forecaster import Array, known_values
from learners import Hyper
from model import Recipe, fit
from weights import learn_weights


@dataclass(frozen=True)
class BlockForecast:
    """What was forecast from the days of one block, N of them.

    Attributes:
        block: Which days.
        origins: (N,) rows that were forecast from.
        base: (N, T) last known values on the working scale.
        changes: By learner, (N, H, T) changes on the working scale.
        actual: (N, H, T) changes that came; NaN where nothing was observed or the tenor was not learned.
    """

    block: Block
    origins: Array
    base: Array
    changes: Mapping[str, Array]
    actual: Array


@dataclass(frozen=True)
class Forecast:
    """Forecasts of the scored days in the unit of the data, N of them.

    Attributes:
        fold: (N,) number of the fold.
        origins: (N,) rows that were forecast from.
        horizons: Days ahead, H.
        forecast: (N, H, T).
        last: (N, T) last known values, which persistence forecasts for every horizon.
        actual: (N, H, T); NaN where there is nothing to score.
        weights: What is served: weights learned from all blocks.
    """

    fold: Array
    origins: Array
    horizons: tuple[int, ...]
    forecast: Array
    last: Array
    actual: Array
    weights: Mapping[str, float]


def walk_forward(
    values: Array,
    blocks: Sequence[Block],
    recipe: Recipe,
    hyper: Hyper,
    advance: Callable[[str], None] = lambda _: None,
) -> Forecast:
    """Forecast every block by a fit on what is known on its first day.

    The weights of several learners are themselves learned, for each block, only from forecasts of the blocks before it
    that had come true when it began.

    Args:
        values: (days, T), oldest day first, NaN where blank.
        blocks: In the order of time; the first, fold 0, is only for learning weights.
        recipe: What a fit depends on.
        hyper: Hyper-parameters.
        advance: Called with the name of each step.
    """
    single = len(recipe.learners) == 1
    scored = len(blocks) - 1
    done: list[BlockForecast] = []
    weights: list[Mapping[str, float]] = []
    for block in blocks[1:] if single else blocks:
        advance(f"fold {block.fold} of {scored}" if block.fold else "days before fold 1, for the weights")
        weights.append(_weights_known(block.start, done, recipe))
        done.append(forecast_block(values, block, recipe, hyper))
    served = _weights_known(len(values) - 1, done, recipe)
    parts = [(part, used) for part, used in zip(done, weights, strict=True) if part.block.fold]
    restore = np.exp if recipe.log else np.asarray
    return Forecast(
        fold=np.concatenate([np.full(len(part.origins), part.block.fold) for part, _ in parts]),
        origins=np.concatenate([part.origins for part, _ in parts]),
        horizons=recipe.horizons,
        forecast=restore(np.concatenate([part.base[:, None] + combine(part.changes, used) for part, used in parts])),
        last=restore(np.concatenate([part.base for part, _ in parts])),
        actual=restore(np.concatenate([part.base[:, None] + part.actual for part, _ in parts])),
        weights=served,
    )


def forecast_block(values: Array, block: Block, recipe: Recipe, hyper: Hyper) -> BlockForecast:
    """Fit on what is known at the first row of a block and forecast from each of its rows."""
    model = fit(values[: block.start + 1], recipe, hyper)
    working = model.working(values)
    origins = np.arange(block.start, block.stop)
    history = windows(working, origins, recipe.lookback)
    base = known_values(history)[:, -1]
    features = model.features(history)
    changes = {name: model.member_changes(name, features) for name in model.members}
    learned = model.loadings.any(axis=1)
    actual = np.full((len(origins), len(recipe.horizons), len(recipe.tenors)), np.nan)
    for position, ahead in enumerate(recipe.horizons):
        came = origins + ahead < len(values)
        actual[came, position] = np.where(learned, working[origins[came] + ahead] - base[came], np.nan)
    actual[np.isnan(features).any(axis=1)] = np.nan  # nothing can be forecast from a window without a whole curve
    return BlockForecast(block, origins, base, changes, actual)


def combine(changes: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """Return the weighted sum of the changes that the learners forecast."""
    return np.sum([weights[name] * change for name, change in changes.items()], axis=0)


def _weights_known(row: int, done: Sequence[BlockForecast], recipe: Recipe) -> Mapping[str, float]:
    """Learn weights from the forecasts that had come true on a row."""
    if len(recipe.learners) == 1:
        return {recipe.learners[0]: 1.0}
    if not done:
        return dict.fromkeys(recipe.learners, 0.0)
    ahead = np.asarray(recipe.horizons)
    actual = np.concatenate(
        [np.where((part.origins[:, None] + ahead <= row)[:, :, None], part.actual, np.nan) for part in done]
    )
    changes = {name: np.concatenate([part.changes[name] for part in done]) for name in recipe.learners}
    return learn_weights(changes, actual)
