"""Search for hyper-parameters on the days before anything is scored."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import optuna
from lightgbm.basic import LightGBMError
from mlplatform.training.failures import BadData

from dataset import INITIAL_SHARE
from errors import TuningFailed
from folds import Block, split
from forecaster import Array
from learners import Hyper
from model import Recipe
from walk_forward import walk_forward

FOLDS = 2
MOST_FACTORS = 5
FAILURES = (BadData, ValueError, np.linalg.LinAlgError, LightGBMError)
"""What a fit raises when hyper-parameters and data do not go together."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of hyper-parameters that was tried.

    Attributes:
        number: From 0.
        hyper: What was tried.
        rmse: Its error on the inner folds; None when it failed.
        seconds: How long it took.
        error: Why it failed; empty when it did not.
    """

    number: int
    hyper: Hyper
    rmse: float | None
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """The outcome of a search.

    Attributes:
        best: What to train with.
        trials: Everything tried, failures too.
    """

    best: Hyper
    trials: tuple[Trial, ...]


def search(
    values: Array, blocks: tuple[Block, ...], recipe: Recipe, trials: int, advance: Callable[[str], None]
) -> Search:
    """Try hyper-parameters by a walk-forward within the days known when the first fold begins; defaults come first.

    Args:
        values: (days, T), oldest day first.
        blocks: The blocks of the run; nothing after the first row of fold 1 is looked at.
        recipe: What a fit depends on besides.
        trials: How many to try, at least 1.
        advance: Called with the name of each trial as it starts.

    Raises:
        BadData: There are too few days before the first fold.
        TuningFailed: Every trial failed; the message says why the first did.
    """
    inner = values[: blocks[1].start + 1]
    if INITIAL_SHARE * len(inner) < recipe.minimum:
        raise BadData(
            f"{len(inner)} days before the first fold are too few to tune on; {recipe.minimum / INITIAL_SHARE:.0f} are "
            "needed: give more days or do not --tune"
        )
    inner_blocks = split(len(inner), FOLDS, recipe.horizons[-1])
    done: list[Trial] = []

    def objective(trial: optuna.Trial) -> float:
        advance(f"trial {trial.number + 1} of {trials}")
        hyper = suggest(trial, recipe)
        started = perf_counter()
        try:
            rmse = _error(inner, inner_blocks, recipe, hyper)
        except FAILURES as error:
            done.append(Trial(trial.number, hyper, None, perf_counter() - started, f"{type(error).__name__}: {error}"))
            raise
        done.append(Trial(trial.number, hyper, rmse, perf_counter() - started))
        return rmse

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # failures are in the result
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=recipe.seed))
    study.enqueue_trial(_chosen(Hyper(), recipe))
    study.optimize(objective, n_trials=trials, catch=FAILURES)
    found = [(trial.rmse, trial) for trial in done if trial.rmse is not None]
    if not found:
        raise TuningFailed(f"all {trials} trials failed; the first: {done[0].error}")
    return Search(min(found, key=lambda pair: pair[0])[1].hyper, tuple(done))


def suggest(trial: optuna.Trial, recipe: Recipe) -> Hyper:
    """Let a trial choose the hyper-parameters that the learners of the recipe use; the others keep their defaults."""
    chosen: dict[str, Any] = {"factors": trial.suggest_int("factors", 1, min(MOST_FACTORS, len(recipe.tenors)))}
    if "ridge" in recipe.learners:
        chosen["ridge_alpha"] = trial.suggest_float("ridge_alpha", 10.0, 100_000.0, log=True)
    if "lightgbm" in recipe.learners:
        chosen["lightgbm_rounds"] = trial.suggest_int("lightgbm_rounds", 10, 160)
        chosen["lightgbm_leaves"] = trial.suggest_int("lightgbm_leaves", 2, 16)
        chosen["lightgbm_rate"] = trial.suggest_float("lightgbm_rate", 0.01, 0.2, log=True)
    if "random_forest" in recipe.learners:
        chosen["forest_trees"] = trial.suggest_int("forest_trees", 20, 100)
        chosen["forest_depth"] = trial.suggest_int("forest_depth", 2, 8)
        chosen["forest_leaf"] = trial.suggest_int("forest_leaf", 10, 100)
    return replace(Hyper(), **chosen)


def _chosen(hyper: Hyper, recipe: Recipe) -> dict[str, Any]:
    """Return the values that :func:`suggest` would ask for, so that they can be tried first."""
    asked = {"ridge": ("ridge_alpha",), "lightgbm": ("lightgbm_",), "random_forest": ("forest_",)}
    prefixes = ("factors", *(prefix for name in recipe.learners for prefix in asked[name]))
    values = {name: value for name, value in asdict(hyper).items() if name.startswith(prefixes)}
    return values | {"factors": min(hyper.factors, len(recipe.tenors))}


def _error(values: Array, blocks: tuple[Block, ...], recipe: Recipe, hyper: Hyper) -> float:
    forecast = walk_forward(values, blocks, recipe, hyper)
    known = ~np.isnan(forecast.actual)
    if not known.any():
        raise BadData("nothing was observed on the inner folds")
    return float(np.sqrt(np.mean((forecast.forecast - forecast.actual)[known] ** 2)))
