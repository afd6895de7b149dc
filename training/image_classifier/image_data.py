"""Images with their classes: the digits of scikit-learn, or a folder for each class."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mlplatform.media.pixels import UnreadableImage, open_image, to_pixels
from mlplatform.training.calibration import Indices
from mlplatform.training.failures import BadData
from PIL import Image
from sklearn.datasets import load_digits

Pixels = npt.NDArray[np.uint8]

ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
DIGIT_EDGE, DIGIT_DEPTH = 8, 16
FOLDER_EDGE = 32


@dataclass(frozen=True, slots=True)
class Images:
    """Images of one size with their classes.

    Attributes:
        source: Where they are from, for people.
        labels: Names of the classes.
        pixels: (images, height, width, channels), of one channel or three.
        targets: Class of each image.
        repeated: Files left out because there was the same one before.
        contradicting: Those of them that are in the folder of another class.
    """

    source: str
    labels: tuple[str, ...]
    pixels: Pixels
    targets: Indices
    repeated: int = 0
    contradicting: int = 0

    @property
    def mode(self) -> str:
        """How Pillow names the channels."""
        return "L" if self.pixels.shape[-1] == 1 else "RGB"

    def digest(self, places: Indices) -> str:
        """Return the SHA-256 of some images with the names of their classes."""
        found = hashlib.sha256("\n".join(self.labels[target] for target in self.targets[places]).encode())
        found.update(np.ascontiguousarray(self.pixels[places]).tobytes())
        return found.hexdigest()


def digits(size: int | None) -> Images:
    """Return the 1,797 handwritten digits that come with scikit-learn.

    Args:
        size: Edge in pixels; None for their own, 8.
    """
    found = load_digits()
    gray = (found.images * (255 / DIGIT_DEPTH)).round().astype(np.uint8)
    edge = size or DIGIT_EDGE
    if edge != DIGIT_EDGE:
        gray = np.stack([np.asarray(Image.fromarray(one).resize((edge, edge))) for one in gray])
    labels = tuple(str(name) for name in found.target_names)
    return Images("scikit-learn's digits", labels, gray[..., None], found.target.astype(np.intp))


def files_of(folder: Path) -> list[tuple[Path, str]]:
    """List the images of a folder with the class of each, which is the name of the folder below it.

    Raises:
        BadData: It is no folder, has no images, or has a class without any.
    """
    if not folder.is_dir():
        raise BadData(f"{folder} is no folder")
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    found = [
        (file, entry.name)
        for entry in classes
        for file in sorted(entry.rglob("*"))
        if file.suffix.lower() in ENDINGS and file.is_file()
    ]
    if not found:
        raise BadData(f"{folder} has no folders with images: it needs one folder for each class")
    empty = sorted({entry.name for entry in classes} - {label for _, label in found})
    if empty:
        raise BadData(f"class {empty[0]!r} has no images: put some into {folder / empty[0]}, or delete that folder")
    return found


def read_folder(folder: Path, size: int | None, *, gray: bool, advance: Callable[[int], None]) -> Images:
    """Read a folder of images; a file that comes again is left out, or it could be trained on and measured with.

    Args:
        folder: Has a folder of images for each class.
        size: Edge in pixels that images are brought to; None for 32.
        gray: Whether colours are ignored.
        advance: Told of images as they are read.

    Raises:
        BadData: There are no images, or a file cannot be read or is none.
    """
    files = files_of(folder)
    labels = tuple(sorted({label for _, label in files}))
    edge, mode = size or FOLDER_EDGE, "L" if gray else "RGB"
    pixels = np.empty((len(files), edge, edge, 1 if gray else 3), dtype=np.uint8)
    found: dict[bytes, str] = {}
    repeated = contradicting = 0
    for file, label in files:
        content = _content(file)
        key = hashlib.sha256(content).digest()
        if key in found:
            repeated += 1
            contradicting += found[key] != label
        else:
            pixels[len(found)] = read_image(file, content, edge, mode).reshape(pixels.shape[1:])
            found[key] = label
        advance(1)
    targets = np.array([labels.index(label) for label in found.values()], dtype=np.intp)
    return Images(folder.name, labels, pixels[: len(found)], targets, repeated, contradicting)


def read_image(file: Path, content: bytes, edge: int, mode: str) -> Pixels:
    """Bring one image to what the model will see.

    Args:
        file: To name it.
        content: Of the file.
        edge: Of the result, in pixels.
        mode: Of the result.

    Raises:
        BadData: It is no image, or too large.
    """
    try:
        return to_pixels(open_image(content), edge, edge, mode)
    except UnreadableImage as error:
        raise BadData(f"{file}: {error}") from error


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadData(f"{file}: {error}") from error
