"""Image files to arrays of bytes."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from mlplatform.media.scans import MOST_SCANS, has_many_scans

Pixels = npt.NDArray[np.uint8]

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What is read; Pillow knows many more, some of which start other programs."""
LARGEST_IMAGE = 64_000_000
"""Pixels, which take 256 MB as they are decoded."""
FAULTS = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError, MemoryError)
"""What Pillow's readers raise for files that are damaged, besides their own errors."""


class UnreadableImage(ValueError):
    """The file is no image that can be read; the message is for its owner."""


def open_image(content: bytes, largest: int = LARGEST_IMAGE) -> Image.Image:
    """Decode an image and turn it as its camera was held.

    Args:
        content: Of the file.
        largest: Most pixels; they are counted before any is decoded.

    Raises:
        UnreadableImage: It is no image, damaged, or too large.
    """
    with _reading(content) as image:
        _check_size(image, largest)
        if has_many_scans(content):
            raise UnreadableImage(f"has more than {MOST_SCANS} scans, which take too long to decode")
        image.load()
        return ImageOps.exif_transpose(image)


def count_pixels(content: bytes) -> int:
    """Return how many pixels an image says that it has; none is decoded.

    Args:
        content: Of the file.

    Raises:
        UnreadableImage: It is no image, or damaged at its beginning.
    """
    with _reading(content) as image:
        return image.width * image.height


def to_pixels(image: Image.Image, width: int, height: int, mode: str) -> Pixels:
    """Return an image as (height, width, channels).

    Args:
        image: Any; what is transparent becomes white.
        width: Of the result, in pixels; the proportions are not kept.
        height: Of the result.
        mode: `L` for one channel or `RGB` for three.
    """
    sized = opaque(image).convert(mode)
    if sized.size != (width, height):
        sized = sized.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(sized, dtype=np.uint8).reshape(height, width, -1)


def opaque(image: Image.Image) -> Image.Image:
    """Put an image on white, which is seen where it is transparent."""
    if image.mode not in {"RGBA", "LA", "PA"} and "transparency" not in image.info:
        return image
    shown = image.convert("RGBA")
    ground = Image.new("RGBA", shown.size, "white")
    ground.alpha_composite(shown)
    return ground


@contextmanager
def _reading(content: bytes) -> Iterator[Image.Image]:
    """Read what a file says of itself, and judge what is raised until the block ends."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of sizes, which are judged here
            yield Image.open(BytesIO(content), formats=FORMATS)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImage("is no image of a known format: " + ", ".join(FORMATS)) from error
    except (*FAULTS, Image.DecompressionBombError) as error:
        raise UnreadableImage("is damaged or cut short: it cannot be decoded") from error


def _check_size(image: Image.Image, largest: int) -> None:
    if image.width * image.height > largest:
        raise UnreadableImage(f"has {image.width} x {image.height} pixels; at most {largest:,} are read")
