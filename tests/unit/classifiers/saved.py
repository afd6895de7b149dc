"""Folders of small models with random weights, as Transformers saves them."""

from pathlib import Path

from mlplatform.classifiers.task import Task
from tests.unit.model_serving.pipelines import image_classifier, object_detector, text_classifier

LABELS = {Task.TEXTS: ["calm", "angry"], Task.IMAGES: ["cat", "dog", "cow"], Task.OBJECTS: ["cat", "dog"]}
MAKE = {Task.TEXTS: text_classifier, Task.IMAGES: image_classifier, Task.OBJECTS: object_detector}


def save(task: Task, folder: Path) -> Path:
    """Save a model with what it needs beside it, and return where."""
    made = MAKE[task]()
    made.model.config.id2label = dict(enumerate(LABELS[task]))
    made.save_pretrained(folder)
    return folder
