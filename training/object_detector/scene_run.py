"""One run from the command line to the registered version."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from mlplatform.monitoring.objects import object_columns
from mlplatform.registry import tags as tag
from mlplatform.training.console import open_console, progress
from mlplatform.training.drawing import draw_losses, draw_reliability
from mlplatform.training.finishing import finish, guarded, open_registry
from mlplatform.training.provenance import requirements
from mlplatform.training.recording import Findings, Profiled
from mlplatform.training.splitting import SHARE
from rich.console import Console
from rich.table import Table

from detector_drawing import draw_curves, draw_examples
from detector_fitting import detect, fit
from detector_measures import Measures, fit_confidence, measure
from detector_network import DETECTIONS, ServedDetector
from scene_program import SceneOptions
from scenes import LABELS, Scene, digest, draw_scenes

TASK = "object-detection"
FOLDER = Path(__file__).parent
FIELDS = 6
EXAMPLES = 2
"""Scenes in the input example: more than one, or the exported program would take one at a time only."""
GATES = {"map_50": {"greater_is_better": True, "threshold": None, "max_relative_degradation": 0.02}}


def run(options: SceneOptions) -> int:
    """Train, measure, log and register; return the exit status.

    Raises:
        TrainingError: An option cannot be used; nothing was logged or registered.
    """
    return guarded(lambda: _run(options))


def _run(options: SceneOptions) -> int:
    console = open_console(as_json=options.as_json)
    registry = None if options.dry_run else open_registry(options.model_name)
    held = max(1, round(SHARE * options.scenes))
    with progress(console) as begin:
        scenes = draw_scenes(options.scenes, options.size, options.seed, begin("drawing scenes", options.scenes))
        calibration, test, train = scenes[:held], scenes[held : 2 * held], scenes[2 * held :]
        network, losses = fit(train, options, begin("training", options.epochs))
    scale, shift = fit_confidence(calibration, detect(ServedDetector(network).eval(), calibration))
    served = ServedDetector(network, scale, shift).eval()
    found = detect(served, test)
    measures = measure(test, found)
    _show(console, measures, len(test))
    raw = measure(test, detect(ServedDetector(network).eval(), test))
    findings = Findings(
        options=options,
        task=TASK,
        source=f"{options.scenes} drawn scenes",
        digest=digest(test),
        params={
            "scenes": options.scenes,
            "size": options.size,
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "learning_rate": options.learning_rate,
            "confidence.scale": round(scale, 6),
            "confidence.shift": round(shift, 6),
        },
        metrics={**measures.metrics(), "calibration_error_uncalibrated": raw.reliability.error},
        losses=losses,
        gates=GATES,
        documents={"classes.json": measures.classes()},
        figures={
            "precision_recall.png": draw_curves(measures.curves),
            "reliability.png": draw_reliability(measures.reliability),
            "examples.png": draw_examples(test, found),
            "loss.png": draw_losses(losses),
        },
        libraries=("matplotlib", "pillow", "scipy"),
        profile=Profiled(None, pd.DataFrame(object_columns(_named(found)))),
    )
    return finish(registry, findings, FOLDER, lambda: _log_model(options, served, train[:EXAMPLES]), console)


def _named(found: np.ndarray) -> list[list[tuple[str, float]]]:
    """Return class and confidence of each detection, by scene."""
    return [[(LABELS[int(row[4])], float(row[5])) for row in scene] for scene in found]


def _show(console: Console, measures: Measures, scenes: int) -> None:
    table = Table(title=f"{scenes} scenes that were not trained on", title_justify="left")
    table.add_column("class")
    for column in ("average precision", "objects"):
        table.add_column(column, justify="right")
    for curve in measures.curves:
        table.add_row(curve.label, f"{curve.average:.3f}", str(curve.objects))
    console.print(table)
    console.print(
        f"mean average precision {measures.metrics()['map_50']:.4f}; from a confidence of 0.5 on, precision "
        f"{measures.precision:.4f} and recall {measures.recall:.4f}; calibration error {measures.reliability.error:.4f}"
    )


def _log_model(options: SceneOptions, served: ServedDetector, examples: list[Scene]) -> str:
    """Log the detector as an exported program, which is no pickle; return the URI of the logged model."""
    logged = mlflow.pytorch.log_model(
        served,
        name=options.model_name,
        serialization_format="pt2",
        signature=ModelSignature(
            inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, options.size, options.size, 3))]),
            outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, DETECTIONS, FIELDS))]),
        ),
        input_example=np.stack([scene.pixels for scene in examples]),
        metadata={
            tag.TASK: TASK,
            tag.LABELS: list(LABELS),
            tag.IMAGE: {"height": options.size, "width": options.size, "mode": "RGB"},
        },
        pip_requirements=requirements("mlflow", "numpy", "torch"),
    )
    return str(logged.model_uri)
