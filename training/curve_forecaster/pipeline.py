"""One run from the options to the registered version."""

import json
import sys

from mlplatform.registry.errors import RegistryRefused, RegistryUnavailable
from mlplatform.training.failures import DONE, REFUSED, UNREACHABLE
from rich.console import Console

import report
from console import open_console, progress
from curves import KINDS
from dataset import Dataset, load_dataset
from evaluate import evaluate
from folds import Block, split
from learners import LEARNERS, Hyper
from model import Recipe, fit, with_weights
from options import Options
from server import open_registry
from tracking import Result, track
from tune import search
from walk_forward import walk_forward


def run(options: Options) -> int:
    """Train, evaluate, log and register; return the exit status.

    Raises:
        TrainingError: The data, a setting or every trial failed; nothing was logged or registered.
    """
    console = open_console(as_json=options.as_json)
    try:
        dataset = load_dataset(
            KINDS[options.curve_type],
            options.data,
            rows=options.rows,
            seed=options.seed,
            lookback=options.lookback,
            longest=options.horizons[-1],
        )
        blocks = split(len(dataset.frame), options.folds, options.horizons[-1])
        # Asked before training, so that minutes of work are not lost to a server that is down.
        registry = None if options.dry_run else open_registry()
        report.show_data(console, dataset)
        result = train(options, dataset, blocks, console)
        report.show_errors(console, dataset, result.evaluation)
        report.show_weights(console, result.served)
        registered = track(registry, result) if registry else None
    except RegistryUnavailable as error:
        sys.stderr.write(f"train.py: {error}\n")
        return UNREACHABLE
    except RegistryRefused as error:
        sys.stderr.write(f"train.py: {error}\n")
        return REFUSED
    if registered:
        report.show_registered(console, registered)
    else:
        console.print("dry run: nothing was logged or registered")
    if options.as_json:
        document = report.summary(dataset, result.evaluation, result.served, registered)
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return DONE


def train(options: Options, dataset: Dataset, blocks: tuple[Block, ...], console: Console) -> Result:
    """Tune if asked to, evaluate walk-forward, and fit what is served on all days.

    Args:
        options: What the user asked for.
        dataset: What to train on.
        blocks: The days to forecast.
        console: Where progress is shown.

    Raises:
        BadData: There are too few days or observations.
        TuningFailed: Every trial failed.
    """
    values = dataset.values
    recipe = Recipe(
        tenors=dataset.tenors,
        horizons=options.horizons,
        lookback=options.lookback,
        log=dataset.kind.log,
        learners=tuple(LEARNERS) if options.model_type == "ensemble" else (options.model_type,),
        minimum=dataset.minimum,
        seed=options.seed,
    )
    hyper, trials = Hyper(), ()
    steps = options.tune + options.folds + (len(recipe.learners) > 1) + 1
    with progress(console, steps) as advance:
        if options.tune:
            found = search(values, blocks, recipe, options.tune, advance)
            hyper, trials = found.best, found.trials
        forecast = walk_forward(values, blocks, recipe, hyper, advance)
        advance("the model to serve, on all days")
        fitted = fit(values, recipe, hyper)
    if options.tune:
        report.show_search(console, found)
    served = with_weights(fitted, dict(forecast.weights))
    evaluation = evaluate(forecast, dataset, options.seed)
    return Result(options, dataset, hyper, trials, forecast, evaluation, fitted, served)
