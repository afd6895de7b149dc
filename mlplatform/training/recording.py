"""Writes a run to MLflow and registers its model."""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from matplotlib.figure import Figure
from mlflow.entities import LifecycleStage, Metric

from mlplatform.auth.system_user import system_user
from mlplatform.monitoring.storage import log_reference_profile
from mlplatform.registry import tags as tag
from mlplatform.registry.connection import open_client, registry_errors
from mlplatform.registry.errors import RegistryRefused
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import RUN_USER, Registry
from mlplatform.training.commandline import CommonOptions
from mlplatform.training.provenance import requirements, source_tags

LIBRARIES = ("mlflow", "numpy", "scikit-learn", "torch")


@dataclass(frozen=True, slots=True)
class Profiled:
    """What a served version is compared with by monitoring.

    Attributes:
        inputs: What was trained on; None where it has no columns, such as images.
        predictions: Answers to examples that were not.
    """

    inputs: pd.DataFrame | None
    predictions: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Findings:
    """What a run has to write down.

    Attributes:
        options: What the user asked for.
        task: What the model does, such as `image-classification`.
        source: What it was trained on, for people.
        digest: SHA-256 of what the metrics were measured on.
        params: By name.
        metrics: By name.
        losses: Mean loss of each epoch.
        gates: What a promotion compares.
        documents: Logged as JSON, by file.
        figures: Logged as plots, by file.
        libraries: That training needed besides those of all programs.
        profile: What monitoring compares with, if it can.
    """

    options: CommonOptions
    task: str
    source: str
    digest: str
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    losses: Sequence[float]
    gates: Mapping[str, Mapping[str, object]]
    documents: Mapping[str, Any]
    figures: Mapping[str, Figure]
    libraries: tuple[str, ...] = field(default=())
    profile: Profiled | None = None


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


def record(registry: Registry, findings: Findings, folder: Path, log_model: Callable[[], str]) -> Registered:
    """Log a run with its model and register the model.

    Args:
        registry: Where to.
        findings: What was found.
        folder: That the training code is in.
        log_model: Logs the model to the active run; returns the URI of the logged model.

    Raises:
        RegistryUnavailable: MLflow does not answer any more.
        RegistryRefused: MLflow will not store it.
    """
    options, url = findings.options, registry.tracking_url
    # Standard output may be a JSON document, and the report says what MLflow would.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    with registry_errors(url):
        mlflow.set_tracking_uri(url)
        mlflow.set_registry_uri(url)
        client = open_client(url)
        found = client.get_experiment_by_name(options.experiment)
        if found and found.lifecycle_stage == LifecycleStage.DELETED:
            raise RegistryRefused(f"Experiment {options.experiment!r} is deleted: restore it or name another one.")
        experiment = mlflow.set_experiment(options.experiment)
        with mlflow.start_run(run_name=options.model_name) as run:
            run_id = str(run.info.run_id)
            # MLflow believes LOGNAME, which is whatever its user says; approvals ask who made a version.
            mlflow.set_tags({**source_tags(folder), tag.TASK: findings.task, RUN_USER: system_user()})
            mlflow.log_params({**findings.params, "seed": options.seed, "data.source": findings.source})
            mlflow.log_metrics(dict(findings.metrics))
            now = int(time.time() * 1000)
            losses = [Metric("loss", loss, now, epoch) for epoch, loss in enumerate(findings.losses, start=1)]
            client.log_batch(run_id, metrics=losses)
            for name, content in findings.documents.items():
                mlflow.log_dict(content, f"evaluation/{name}")
            for name, figure in findings.figures.items():
                mlflow.log_figure(figure, f"evaluation/{name}")
            mlflow.log_text("\n".join(requirements(*LIBRARIES, *findings.libraries)), "requirements.txt")
            model_uri = log_model()
            if findings.profile:
                log_reference_profile(model_uri, findings.profile.inputs, findings.profile.predictions)
    version = register_model_version(
        registry,
        options.model_name,
        model_uri,
        tags={
            tag.GATE_METRICS: json.dumps(findings.gates),
            tag.EVALUATION_DIGEST: findings.digest,
            tag.TASK: findings.task,
        },
        description=f"{findings.task.replace('-', ' ').capitalize()}, trained on {findings.source}.",
    )
    return Registered(version, run_id, f"{url}/#/experiments/{experiment.experiment_id}/runs/{run_id}")
