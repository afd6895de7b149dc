"""What a folder must hold before its classifier is loaded: nothing that runs code of its own, and names of classes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from mlplatform.classifiers.task import Task
from mlplatform.embedders.errors import EmbedderError
from mlplatform.embedders.folder import check_files, model_files

CONFIG = "config.json"
ADAPTER = "adapter_config.json"
CODE_KEYS = frozenset({"auto_map", "custom_pipelines"})
"""Under these, a configuration names Python code; serving refuses a model that has one."""
VOCABULARIES = frozenset({"tokenizer.json", "vocab.json", "vocab.txt"})
SENTENCE_PIECES = ".model"
PROCESSORS = frozenset({"preprocessor_config.json", "processor_config.json"})
FEWEST_CLASSES = 2


def check_folder(folder: Path, task: Task) -> None:
    """Refuse a folder that is no model for a task, or whose loading could run code.

    Raises:
        EmbedderError: It names what is wrong, and what to do.
    """
    if not (folder / CONFIG).is_file():
        raise EmbedderError(f"{folder} has no {CONFIG}: save the model with model.save_pretrained(FOLDER)")
    check_files(folder)
    for path in model_files(folder):
        if path.name == ADAPTER:
            raise EmbedderError("it is an adapter of another model: save what model.merge_and_unload() returns")
        if path.name.endswith(CONFIG):
            _check_keys(path)
    config = _read(folder / CONFIG)
    _check_architecture(config, task)
    _check_labels(config, task)
    _check_part(folder, task)


def _check_keys(path: Path) -> None:
    found = sorted(CODE_KEYS.intersection(_keys(_read(path))))
    if found:
        raise EmbedderError(
            f"{path.name} names code of the model's own ({found[0]}), which is never run here: "
            "take a model of an architecture that Transformers has itself"
        )


def _read(path: Path) -> Any:  # noqa: ANN401 (JSON of any form)
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise EmbedderError(f"{path.name} is no JSON: save the model anew with save_pretrained(FOLDER)") from error


def _keys(content: object) -> Iterator[str]:
    """Walk over the keys of all objects, however deep."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _check_architecture(config: object, task: Task) -> None:
    named = config.get("architectures") if isinstance(config, dict) else None
    if not isinstance(named, list) or not named:
        raise EmbedderError(f"{CONFIG} names no architecture: save the model anew with model.save_pretrained(FOLDER)")
    architecture = str(named[0])
    if task.head in architecture:
        return
    fitting = [other for other in Task if other.head in architecture]
    if fitting:
        raise EmbedderError(f"it is {architecture}, which is for another task: pass --task {fitting[0]}")
    raise EmbedderError(f"it is {architecture}, which is not for {task}: train a model …{task.head}")


def _check_labels(config: dict[str, Any], task: Task) -> None:
    names = config.get("id2label")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise EmbedderError(
            f"{CONFIG} does not name its classes: set model.config.id2label, such as {{0: 'calm', 1: 'angry'}}, "
            "and save the model anew"
        )
    if task is Task.OBJECTS:
        return
    if len(names) < FEWEST_CLASSES or config.get("problem_type") == "regression":
        raise EmbedderError(
            "it gives a score and no classes; a cross-encoder that scores pairs is registered with register-reranker"
        )
    if len(set(names.values())) < len(names):
        raise EmbedderError(f"two of its classes have one name: make the names in id2label of {CONFIG} differ")


def _check_part(folder: Path, task: Task) -> None:
    names = {path.name for path in folder.iterdir()}
    if task is Task.TEXTS:
        if not names & VOCABULARIES and not any(name.endswith(SENTENCE_PIECES) for name in names):
            raise EmbedderError(f"{folder} has no tokenizer: save it beside, with tokenizer.save_pretrained(FOLDER)")
    elif not names & PROCESSORS:
        raise EmbedderError(
            f"{folder} has no image processor: save it beside, with image_processor.save_pretrained(FOLDER)"
        )
