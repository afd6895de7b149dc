"""Images out of files, with their pixels only when there are not too many."""

import io
import warnings

from PIL import Image, UnidentifiedImageError

from mlplatform.media.pixels import opaque
from mlplatform.media.scans import MOST_SCANS, has_many_scans
from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.batch.uploads.headers import Header, orientation, read_header
from services.model_serving.batch.uploads.limits import Limits

MOST_EXIF = 64 * 1024
"""What fits into one segment of a JPEG file; cameras write no more."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BROKEN = (OSError, SyntaxError, ValueError, EOFError, OverflowError, IndexError, KeyError, TypeError, ArithmeticError)
"""What Pillow's readers raise for files that are broken."""


def check_image(content: bytes, limits: Limits) -> Header:
    """Return what an image says of itself, without decoding anything.

    Raises:
        FileError: It is no image, or too large.
    """
    header = read_header(content)
    _check_size(header.width, header.height, limits)
    if len(header.exif) > MOST_EXIF:
        raise FileError("bad_metadata", f"The image has more than {MOST_EXIF} bytes of EXIF data.")
    if has_many_scans(content):
        raise FileError("image_too_large", f"The image has more than {MOST_SCANS} scans, which take long to decode.")
    return header


def read_image(content: bytes, limits: Limits) -> Image.Image:
    """Return the first picture of a file in RGB, turned as its EXIF data say; what is transparent becomes white.

    Raises:
        FileError: It is no image, too large, broken or cut off.
    """
    header = check_image(content, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is ours
            found = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_size(*found.size, limits)  # a frame of a GIF may be larger than the file says
        found.load()
        picture = opaque(found).convert("RGB")
    except Image.DecompressionBombError as error:
        raise FileError("image_too_large", "The image has too many pixels.") from error
    except UnidentifiedImageError as error:
        raise FileError("broken_image", "The image is broken: its header cannot be read.") from error
    except BROKEN as error:
        raise FileError("broken_image", "The image is broken or cut off.") from error
    turn = TURNS.get(orientation(header.exif))
    return picture if turn is None else picture.transpose(turn)


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise FileError("broken_image", "The image has no pixels.")
    if max(width, height) > limits.image_side or width * height > limits.image_pixels:
        detail = f"The image has {width} x {height} pixels; at most {limits.image_pixels} in all, and "
        raise FileError("image_too_large", f"{detail}{limits.image_side} in width or height, can be decoded.")
