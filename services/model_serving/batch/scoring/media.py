"""What a model of texts or images says about itself."""

from dataclasses import dataclass

from mlplatform.registry import tags as tag
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import LoadError

TEXTS, IMAGES, DETECTIONS = "text-classification", "image-classification", "object-detection"
MODES = {"L": 1, "RGB": 3}


@dataclass(frozen=True, slots=True)
class ImageInput:
    """What an exported program of images takes.

    Attributes:
        width: In pixels.
        height: In pixels.
        mode: `L` or `RGB`.
    """

    width: int
    height: int
    mode: str

    @property
    def values(self) -> int:
        """Numbers of an image."""
        return self.width * self.height * MODES[self.mode]


def task_of(model: LoadedModel) -> str | None:
    """Return the task of a model of media."""
    task = model.metadata.get(tag.TASK)
    return task if task in {TEXTS, IMAGES, DETECTIONS} else None


def image_input(model: LoadedModel) -> ImageInput:
    """Return what a model of images takes, from its metadata.

    Raises:
        LoadError: It does not say.
    """
    match model.metadata.get(tag.IMAGE):
        case {"width": int(width), "height": int(height), "mode": str(mode)} if (
            mode in MODES and min(width, height) > 0
        ):
            return ImageInput(width, height, mode)
    raise LoadError(f"The model's metadata do not say what images it takes ({tag.IMAGE}: height, width and mode).")


def labels_of(model: LoadedModel) -> list[str]:
    """Return the names of the classes of a model, from its metadata.

    Raises:
        LoadError: It does not say.
    """
    labels = model.metadata.get(tag.LABELS)
    if not isinstance(labels, list) or not labels:
        raise LoadError(f"The model's metadata do not name its classes ({tag.LABELS}).")
    return [str(label) for label in labels]
