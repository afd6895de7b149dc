"""What such a model does, by the name that Transformers and the platform have for it."""

from enum import StrEnum


class Task(StrEnum):
    """The tasks that model serving and batch jobs have pipelines for."""

    TEXTS = "text-classification"
    IMAGES = "image-classification"
    OBJECTS = "object-detection"

    @property
    def head(self) -> str:
        """What the name of an architecture with this task has in it."""
        return {
            Task.TEXTS: "ForSequenceClassification",
            Task.IMAGES: "ForImageClassification",
            Task.OBJECTS: "ForObjectDetection",
        }[self]
