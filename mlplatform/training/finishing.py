"""The end of a run: into the registry, and what the user reads."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mlplatform.errors import PlatformError
from mlplatform.registry.errors import RegistryUnavailable
from mlplatform.registry.gates.trial import SERVING
from mlplatform.registry.ownership import check_owner
from mlplatform.registry.registry import Registry
from mlplatform.settings import PlatformSettings, SettingsError
from mlplatform.training.classification import Evaluation
from mlplatform.training.failures import DONE, REFUSED, UNREACHABLE, UsageError
from mlplatform.training.recording import Findings, Registered, record

MOST_SHOWN = 30
"""Classes in the table; the document of the run has all."""


def open_registry(name: str) -> Registry:
    """Return the registry that the settings name, once its server has answered.

    Args:
        name: The registered model that a version is to be added to.

    Raises:
        UsageError: A setting cannot be read.
        RegistryRefused: The name is another service's.
        RegistryUnavailable: MLflow does not answer.
    """
    try:
        settings = PlatformSettings()
    except SettingsError as error:
        raise UsageError(str(error)) from None
    registry = Registry(settings.mlflow_url)
    registry.ping()
    check_owner(registry, name, SERVING)
    return registry


def guarded(work: Callable[[], int]) -> int:
    """Run what talks to MLflow; return its exit status, or that of what MLflow said."""
    try:
        return work()
    except RegistryUnavailable as error:
        sys.stderr.write(f"train.py: {error}\n")
        return UNREACHABLE
    except PlatformError as error:
        sys.stderr.write(f"train.py: {error}\n")
        return REFUSED


def finish(
    registry: Registry | None, findings: Findings, folder: Path, log_model: Callable[[], str], console: Console
) -> int:
    """Log and register unless it is a dry run, and say so; return the exit status.

    Args:
        registry: Where to; None for a dry run.
        findings: What was found.
        folder: That the training code is in.
        log_model: Logs the model; returns its URI.
        console: Where the report goes.

    Raises:
        RegistryUnavailable: MLflow does not answer any more.
        RegistryRefused: MLflow will not store it.
    """
    registered = record(registry, findings, folder, log_model) if registry else None
    if registered is None:
        console.print("dry run: nothing was logged or registered")
    else:
        version = registered.version
        console.print(f"registered: {version.name} version {version.version}", markup=False)
        console.print(f"run: {registered.run_url}", markup=False)
        promote = f"promote_model.py --model {version.name} --version {version.version} --stage Production"
        console.print(f"next: python ../../scripts/{promote}", markup=False)
    if findings.options.as_json:
        sys.stdout.write(json.dumps(summary(findings, registered), indent=2) + "\n")
    return DONE


def summary(findings: Findings, registered: Registered | None) -> dict[str, Any]:
    """Return what `--json` prints."""
    version = registered and registered.version
    return {
        "task": findings.task,
        "data": findings.source,
        "params": dict(findings.params),
        "metrics": dict(findings.metrics),
        **{name.removesuffix(".json"): content for name, content in findings.documents.items()},
        "registered": version and {"model": version.name, "version": version.version, "digest": version.digest},
        "run_id": registered and registered.run_id,
        "run_url": registered and registered.run_url,
    }


def show_evaluation(console: Console, evaluation: Evaluation, examples: int) -> None:
    """Print what a classifier is worth.

    Args:
        console: Where to.
        evaluation: The measures.
        examples: How many were measured.
    """
    table = Table(title=f"{examples} examples that were not trained on", title_justify="left")
    table.add_column("class", overflow="fold")
    for column in ("precision", "recall", "F1", "examples"):
        table.add_column(column, justify="right")
    classes = evaluation.classes()
    for row in classes[:MOST_SHOWN]:
        shares = ("-" if row[name] is None else f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(str(row["label"]).replace("[", "\\["), *shares, str(row["examples"]))
    console.print(table)
    if len(classes) > MOST_SHOWN:
        console.print(f"and {len(classes) - MOST_SHOWN} more classes")
    console.print(
        f"accuracy {evaluation.accuracy:.4f}, macro F1 {evaluation.macro_f1:.4f}, log loss {evaluation.log_loss:.4f}, "
        f"calibration error {evaluation.reliability.error:.4f}"
    )
