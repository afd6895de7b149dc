"""Image files to arrays."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mlplatform.media.pixels import UnreadableImage, count_pixels, open_image, to_pixels

ORIENTATION = 0x0112
TURNED = 6
"""The camera was held a quarter turn to the left."""


def written(image, kind="PNG", **options):
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


class TestOpenImage:
    def test_a_turned_photograph_stands_upright(self):
        exif = Image.Exif()
        exif[ORIENTATION] = TURNED
        content = written(Image.new("RGB", (40, 20)), "JPEG", exif=exif)
        assert open_image(content).size == (20, 40)

    def test_too_many_pixels_are_refused_before_they_are_decoded(self):
        content = written(Image.new("1", (300, 200)))
        with pytest.raises(UnreadableImage, match="has 300 x 200 pixels; at most 50,000"):
            open_image(content, largest=50_000)

    def test_scans_without_end_are_refused_before_they_are_decoded(self):
        content = written(Image.new("L", (40, 20)), "JPEG", progressive=True)
        last = content[content.rindex(b"\xff\xda") : -2]
        assert open_image(content[:-2] + 50 * last + content[-2:]).size == (40, 20)
        with pytest.raises(UnreadableImage, match="scans"):
            open_image(content[:-2] + 500_000 * last + content[-2:])

    @pytest.mark.parametrize("content", [b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>"])
    def test_other_files(self, content):
        with pytest.raises(UnreadableImage, match="no image of a known format"):
            open_image(content)

    @pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"])
    def test_every_cut_is_read_or_refused(self, kind):
        noise = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        content = written(Image.fromarray(noise), kind)
        assert open_image(content).size == (16, 16)
        for end in range(0, len(content) - 1, 7):
            try:
                open_image(content[:end])
            except UnreadableImage as error:
                assert str(error)  # noqa: PT017 (what is not refused was complete enough to be read)


class TestCountPixels:
    def test_the_beginning_is_enough(self):
        content = written(Image.new("RGB", (300, 200)))
        assert count_pixels(content) == count_pixels(content[:60]) == 60_000

    def test_other_files(self):
        with pytest.raises(UnreadableImage, match="no image of a known format"):
            count_pixels(b"no image")


class TestToPixels:
    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
    @pytest.mark.parametrize(("wanted", "channels"), [("L", 1), ("RGB", 3)])
    def test_every_mode(self, mode, wanted, channels):
        assert to_pixels(Image.new(mode, (5, 9)), 4, 3, wanted).shape == (3, 4, channels)

    def test_what_is_transparent_is_white(self):
        assert to_pixels(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), 2, 2, "L").ravel().tolist() == [255] * 4
