"""One run from the command line to the registered version."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from mlplatform.registry import tags as tag
from mlplatform.training.calibration import fit_temperature, probabilities
from mlplatform.training.classification import GATES, evaluate
from mlplatform.training.console import Begin, open_console, progress
from mlplatform.training.drawing import draw_confusion, draw_losses, draw_reliability
from mlplatform.training.finishing import finish, guarded, open_registry, show_evaluation
from mlplatform.training.provenance import requirements
from mlplatform.training.recording import Findings, Profiled
from mlplatform.training.splitting import split

from image_data import Images, digits, files_of, read_folder
from image_fitting import fit, logits_of
from image_network import ServedNetwork
from image_program import ImageOptions

TASK = "image-classification"
FOLDER = Path(__file__).parent
EXAMPLES = 2
"""Images in the input example: more than one, or the exported program would take one image at a time only."""


def run(options: ImageOptions) -> int:
    """Train, measure, log and register; return the exit status.

    Raises:
        TrainingError: The data or an option cannot be used; nothing was logged or registered.
    """
    return guarded(lambda: _run(options))


def _run(options: ImageOptions) -> int:
    console = open_console(as_json=options.as_json)
    registry = None if options.dry_run else open_registry(options.model_name)
    with progress(console) as begin:
        images = _read(options, begin)
        parts = split(images.targets, images.labels, options.seed)
        console.print(
            f"{images.source}: {len(images.targets)} images of {len(images.labels)} classes, "
            f"{images.pixels.shape[1]} x {images.pixels.shape[2]} {images.mode}",
            markup=False,
        )
        if images.repeated:
            console.print(
                f"left out: {images.repeated} repeated images, {images.contradicting} of them of another class"
            )
        network, losses = fit(images, parts.train, options, begin("training", options.epochs))
    temperature = fit_temperature(logits_of(network, images, parts.calibration), images.targets[parts.calibration])
    logits, targets = logits_of(network, images, parts.test), images.targets[parts.test]
    shares = probabilities(logits, temperature)
    evaluation = evaluate(images.labels, shares, targets)
    raw = evaluate(images.labels, probabilities(logits, 1.0), targets)
    show_evaluation(console, evaluation, len(targets))
    findings = Findings(
        options=options,
        task=TASK,
        source=images.source,
        digest=images.digest(parts.test),
        params={
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "learning_rate": options.learning_rate,
            "size": images.pixels.shape[1],
            "mode": images.mode,
            "classes": len(images.labels),
            "images": len(images.targets),
            "repeated": images.repeated,
            "temperature": round(temperature, 6),
        },
        metrics={
            **evaluation.metrics(),
            "log_loss_uncalibrated": raw.log_loss,
            "calibration_error_uncalibrated": raw.reliability.error,
        },
        losses=losses,
        gates=GATES,
        documents={"classes.json": evaluation.classes()},
        figures={
            "confusion.png": draw_confusion(evaluation.labels, evaluation.confusion),
            "reliability.png": draw_reliability(evaluation.reliability),
            "loss.png": draw_losses(losses),
        },
        libraries=("matplotlib", "pillow", "scipy"),
        profile=Profiled(
            None,
            pd.DataFrame(
                {
                    "label": [images.labels[place] for place in shares.argmax(axis=1)],
                    "confidence": shares.max(axis=1),
                }
            ),
        ),
    )
    served = ServedNetwork(network, temperature).eval()
    example = images.pixels[parts.train[:EXAMPLES]]
    return finish(registry, findings, FOLDER, lambda: _log_model(options, images, served, example), console)


def _read(options: ImageOptions, begin: Begin) -> Images:
    if options.folder is None:
        return digits(options.size)
    advance = begin("reading images", len(files_of(options.folder)))
    return read_folder(options.folder, options.size, gray=options.gray, advance=advance)


def _log_model(options: ImageOptions, images: Images, served: ServedNetwork, example: np.ndarray) -> str:
    """Log the network as an exported program, which is no pickle; return the URI of the logged model."""
    shape = images.pixels.shape[1:]
    logged = mlflow.pytorch.log_model(
        served,
        name=options.model_name,
        serialization_format="pt2",
        signature=ModelSignature(
            inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, *shape))]),
            outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, len(images.labels)))]),
        ),
        input_example=example,
        metadata={
            tag.TASK: TASK,
            tag.LABELS: list(images.labels),
            tag.IMAGE: {"height": shape[0], "width": shape[1], "mode": images.mode},
        },
        pip_requirements=requirements("mlflow", "numpy", "torch"),
    )
    return str(logged.model_uri)
