"""Writes a run to MLflow and registers its model."""

import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.entities import LifecycleStage, Metric
from mlplatform.auth.system_user import system_user
from mlplatform.embedders.publishing import Published, publish
from mlplatform.embedders.source import opened
from mlplatform.registry import tags as tag
from mlplatform.registry.connection import open_client, registry_errors
from mlplatform.registry.errors import RegistryRefused
from mlplatform.registry.registry import RUN_USER, Registry
from sentence_transformers import SentenceTransformer

from drawing import draw_losses, draw_quality
from outcome import Outcome, document

FOLDER = Path(__file__).parent
METRICS_PER_REQUEST = 500
LIBRARIES = ("mlflow", "numpy", "sentence-transformers", "torch", "transformers")


@dataclass(frozen=True, slots=True)
class Run:
    """A run in MLflow.

    Attributes:
        id: Of the run.
        url: Where a browser shows it.
    """

    id: str
    url: str


def record(registry: Registry, outcome: Outcome) -> Run:
    """Log what a run found, whether its model will be registered or not.

    Raises:
        RegistryUnavailable: MLflow does not answer any more.
        RegistryRefused: MLflow will not store it.
    """
    # Standard output may be a JSON document.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    url, name = registry.tracking_url, outcome.arguments.experiment
    with registry_errors(url), _tracking(url):
        client = open_client(url)
        found = client.get_experiment_by_name(name)
        if found and found.lifecycle_stage == LifecycleStage.DELETED:
            raise RegistryRefused(f"Experiment {name!r} is deleted: restore it or name another one.")
        experiment = mlflow.set_experiment(name)
        with mlflow.start_run(run_name=f"{outcome.start.name}-{outcome.judged.name}") as run:
            run_id = str(run.info.run_id)
            # MLflow believes LOGNAME, which is whatever its user says; approvals ask who made a version.
            mlflow.set_tags({RUN_USER: system_user(), tag.EVALUATION_DIGEST: outcome.judged.digest, **_code()})
            mlflow.log_params({**outcome.params(), **{f"version.{name}": version(name) for name in LIBRARIES}})
            mlflow.log_metrics(outcome.metrics())
            now = int(time.time() * 1000)
            losses = [Metric("loss", loss, now, step) for step, loss in enumerate(outcome.losses, start=1)]
            for place in range(0, len(losses), METRICS_PER_REQUEST):
                client.log_batch(run_id, metrics=losses[place : place + METRICS_PER_REQUEST])
            mlflow.log_dict(document(outcome, None, None), "evaluation.json")
            mlflow.log_figure(draw_quality(outcome.before, outcome.after, outcome.change), "plots/quality.png")
            mlflow.log_figure(draw_losses(outcome.losses), "plots/loss.png")
    return Run(run_id, f"{url}/#/experiments/{experiment.experiment_id}/runs/{run_id}")


def register(registry: Registry, outcome: Outcome, model: SentenceTransformer, run: Run) -> Published:
    """Register the trained model, by the way of `mlp models register-embedder`.

    Raises:
        EmbedderError: The model cannot be registered.
        RegistryUnavailable: MLflow does not answer any more.
    """
    start, judged = outcome.start, outcome.judged
    source = f"{start.name} version {start.version}, fine-tuned on {judged.name}"
    with tempfile.TemporaryDirectory() as scratch:
        model.save(scratch, create_model_card=False)
        with opened(scratch, None) as folder:
            return publish(
                registry,
                outcome.arguments.registered_name,
                folder,
                metadata={"source": source},
                description=f"{source}.",
                tags={tag.EVALUATION_DIGEST: judged.digest},
                run_id=run.id,
            )


@contextmanager
def _tracking(url: str) -> Iterator[None]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(url)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _code() -> dict[str, str]:
    """Return the commit of this code and whether it was changed since; `unknown` outside a checkout."""
    changes = _git("status", "--porcelain", "--", str(FOLDER))
    return {
        "git.commit": _git("rev-parse", "HEAD") or "unknown",
        "git.dirty": "unknown" if changes is None else str(bool(changes)).lower(),
    }


def _git(*arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    answer = subprocess.run(  # noqa: S603 - fixed arguments
        [git, "-C", str(FOLDER), *arguments], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else None
