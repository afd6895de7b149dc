"""Writes a run to MLflow and registers its model."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.dataset_source_registry import get_dataset_source_from_json
from mlflow.data.pandas_dataset import PandasDataset, from_pandas
from mlflow.entities import LifecycleStage, Metric, Param, RunTag
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlplatform.auth.system_user import system_user
from mlplatform.monitoring.storage import log_reference_profile
from mlplatform.registry import tags as tag
from mlplatform.registry.connection import registry_errors
from mlplatform.registry.errors import RegistryRefused
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import RUN_USER, Registry

import plots
import provenance
from dataset import Dataset
from evaluate import Evaluation
from forecaster import CurveModel
from learners import Hyper
from options import Options
from tune import Trial
from walk_forward import Forecast
from weights import with_persistence

SERVED_FILE = Path(__file__).with_name("forecaster.py")
GATES = {"rmse": {"greater_is_better": False, "threshold": None, "max_relative_degradation": 0.02}}
ROW_WISE = "ml.row_wise"
"""Tag of a version: whether a row of the input is predicted by itself, so that requests can be batched."""
DIGEST_LENGTH = 36
"""MLflow's limit on the digest of a dataset; the whole digest is the parameter `data.digest`."""


@dataclass(frozen=True)
class Result:
    """What a run has to write down.

    Attributes:
        options: What the user asked for.
        dataset: What was trained on.
        hyper: What it was trained with.
        trials: Hyper-parameters that were tried.
        forecast: The forecasts of the scored days.
        evaluation: Their errors.
        fitted: The model with all its learners, those without weight too.
        served: The model to register.
    """

    options: Options
    dataset: Dataset
    hyper: Hyper
    trials: tuple[Trial, ...]
    forecast: Forecast
    evaluation: Evaluation
    fitted: CurveModel
    served: CurveModel


@dataclass(frozen=True, slots=True)
class Registered:
    """What was written.

    Attributes:
        version: The registered version.
        run_id: The run.
        run_url: Where a browser shows it.
    """

    version: ModelVersion
    run_id: str
    run_url: str


def track(registry: Registry, result: Result) -> Registered:
    """Log a run with its model and register the model.

    Args:
        registry: Where to.
        result: What was found.

    Raises:
        RegistryUnavailable: MLflow does not answer any more.
        RegistryRefused: MLflow will not store it.
    """
    options = result.options
    url = registry.tracking_url
    # Standard output may be a JSON document, and the report says what MLflow would.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    with registry_errors(url):
        mlflow.set_tracking_uri(url)
        mlflow.set_registry_uri(url)
        client = MlflowClient(tracking_uri=url, registry_uri=url)
        found = client.get_experiment_by_name(options.experiment)
        if found and found.lifecycle_stage == LifecycleStage.DELETED:
            raise RegistryRefused(f"Experiment {options.experiment!r} is deleted: restore it or name another one.")
        experiment = mlflow.set_experiment(options.experiment)
        with mlflow.start_run(run_name=f"{options.curve_type}-{options.model_type}") as run:
            run_id = run.info.run_id
            if RUN_USER not in run.data.tags:  # MLflow knows no user without a name; approvals ask who made a version
                client.set_tag(run_id, RUN_USER, system_user())
            _log_numbers(client, run_id, result)
            _log_trials(client, experiment.experiment_id, run_id, result.trials)
            mlflow.log_input(_dataset(result.dataset), context="training")
            client.log_text(run_id, "\n".join(provenance.requirements(provenance.TRAINED)), "requirements.txt")
            with tempfile.TemporaryDirectory() as folder:
                plots.draw(Path(folder), result.dataset, result.forecast, result.evaluation, result.fitted)
                client.log_artifacts(run_id, folder, "evaluation")
            model_uri = _log_model(result)
            log_reference_profile(model_uri, result.dataset.frame, _forecasts(result.forecast, result.dataset.tenors))
    version = register_model_version(
        registry,
        options.model_name,
        model_uri,
        tags={
            tag.GATE_METRICS: json.dumps(GATES),
            tag.EVALUATION_DIGEST: result.evaluation.digest,
            ROW_WISE: "false",
            tag.INPUT_ROWS: str(options.lookback),
            "curve_type": options.curve_type,
            "model_type": options.model_type,
        },
        description=f"{result.dataset.kind.title} forecaster ({options.model_type}), trained on "
        f"{result.dataset.source}.",
    )
    return Registered(version, run_id, f"{url}/#/experiments/{experiment.experiment_id}/runs/{run_id}")


def parameters(result: Result) -> dict[str, str]:
    """Return the parameters of a run by name."""
    options = result.options
    weights = {name: weight for name, weight in result.forecast.weights.items() if weight}
    return {
        "curve_type": options.curve_type,
        "model_type": options.model_type,
        "seed": str(options.seed),
        "tune": str(options.tune),
        "lookback": str(options.lookback),
        "horizons": " ".join(map(str, options.horizons)),
        "folds": str(options.folds),
        **{f"data.{name}": value for name, value in result.dataset.describe().items()},
        **{f"hyper.{name}": str(value) for name, value in asdict(result.hyper).items()},
        **{f"weight.{name}": f"{weight:.6f}" for name, weight in with_persistence(weights).items()},
    }


def signature(tenors: tuple[str, ...]) -> ModelSignature:
    """Return the contract of the served model: curves in, horizons and curves out."""
    columns = [ColSpec(DataType.double, tenor) for tenor in tenors]
    return ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec(DataType.long, "horizon_days"), *columns]))


def _log_numbers(client: MlflowClient, run_id: str, result: Result) -> None:
    now = int(time.time() * 1000)
    options = result.options
    tags = provenance.tags() | {
        "curve_type": options.curve_type,
        "model_type": options.model_type,
        "seed": str(options.seed),
    }
    metrics = [Metric(name, value, now, 0) for name, value in result.evaluation.metrics().items()]
    metrics += [Metric(name, value, now, step) for name, value, step in result.evaluation.fold_metrics()]
    client.log_batch(run_id, metrics=metrics, params=_params(parameters(result)), tags=_tags(tags))


def _log_trials(client: MlflowClient, experiment_id: str, parent: str, trials: tuple[Trial, ...]) -> None:
    """Write each trial as a child run; one that failed is not hidden."""
    for trial in trials:
        tags = {"mlflow.parentRunId": parent} | ({"error": trial.error} if trial.error else {})
        child = client.create_run(experiment_id, tags=tags, run_name=f"trial-{trial.number}").info.run_id
        now = int(time.time() * 1000)
        metrics = [Metric("seconds", trial.seconds, now, 0)]
        if trial.rmse is not None:
            metrics.append(Metric("inner_rmse", trial.rmse, now, 0))
        client.log_batch(child, metrics=metrics, params=_params(asdict(trial.hyper)))
        client.set_terminated(child, "FAILED" if trial.error else "FINISHED")


def _dataset(dataset: Dataset) -> PandasDataset:
    if dataset.path is None:
        source = CodeDatasetSource(tags={"simulation": dataset.source})
    else:  # by type, because MLflow has two sources for a plain path and warns that it must choose
        source = get_dataset_source_from_json(json.dumps({"uri": str(dataset.path.resolve())}), "local")
    return from_pandas(
        dataset.frame.reset_index(),
        source=source,
        name=dataset.source,
        digest=dataset.digest[:DIGEST_LENGTH],
    )


def _log_model(result: Result) -> str:
    """Log the served file with its parameters; return the URI of the logged model."""
    example: pd.DataFrame = result.dataset.frame.tail(result.options.lookback).reset_index(drop=True)
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "parameters"
        stored.mkdir()
        result.served.save(stored)
        logged = mlflow.pyfunc.log_model(
            name=result.options.model_name,
            python_model=str(SERVED_FILE),
            artifacts={"parameters": str(stored)},
            signature=signature(result.dataset.tenors),
            input_example=example,
            metadata={tag.INPUT_ROWS: result.options.lookback},
            pip_requirements=provenance.requirements(provenance.SERVED),
        )
    return str(logged.model_uri)


def _forecasts(forecast: Forecast, tenors: tuple[str, ...]) -> pd.DataFrame:
    """Return forecasts of days that nothing was trained on, as the served model answers: a row per horizon."""
    days = len(forecast.forecast)
    frame = pd.DataFrame(forecast.forecast.reshape(-1, len(tenors)), columns=list(tenors))
    frame.insert(0, "horizon_days", list(forecast.horizons) * days)
    return frame


def _params(values: Mapping[str, object]) -> list[Param]:
    return [Param(name, str(value)) for name, value in values.items()]


def _tags(values: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(name, value) for name, value in values.items()]
