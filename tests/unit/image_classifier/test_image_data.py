"""Where images are from."""

import numpy as np
import pytest
from image_data import digits, files_of, read_folder
from PIL import Image

from mlplatform.training.failures import BadData


@pytest.fixture
def folder(tmp_path):
    for label, shade in (("dark", 20), ("bright", 230)):
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.new("RGB", (20 + number, 10), (shade, shade, shade)).save(tmp_path / label / f"{number}.png")
    (tmp_path / "dark" / "notes.txt").write_text("no image")
    return tmp_path


class TestDigits:
    def test_all_of_them_at_another_size(self):
        found = digits(16)
        assert found.pixels.shape == (1797, 16, 16, 1)
        assert found.labels == tuple("0123456789")
        assert digits(None).pixels.max() == 255


class TestReadFolder:
    def test_classes_are_the_folders(self, folder):
        read = []
        found = read_folder(folder, 8, gray=False, advance=read.append)
        assert (found.labels, found.mode, len(read)) == (("bright", "dark"), "RGB", 6)
        assert found.pixels.shape == (6, 8, 8, 3)
        assert [int(image.max()) for image in found.pixels] == [230] * 3 + [20] * 3
        assert found.targets.tolist() == [0, 0, 0, 1, 1, 1]

    def test_the_digest_is_of_pixels_and_classes(self, folder):
        def digest():
            return read_folder(folder, 8, gray=True, advance=lambda _: None).digest(np.arange(6))

        before = digest()
        assert digest() == before
        (folder / "dark").rename(folder / "dim")
        assert digest() != before

    def test_a_file_that_comes_again_is_left_out(self, folder):
        (folder / "dark" / "copy.png").write_bytes((folder / "dark" / "0.png").read_bytes())
        (folder / "dark" / "other.png").write_bytes((folder / "bright" / "0.png").read_bytes())
        found = read_folder(folder, 8, gray=False, advance=lambda _: None)
        assert (found.targets.tolist(), len(found.pixels)) == ([0, 0, 0, 1, 1, 1], 6)
        assert (found.repeated, found.contradicting) == (2, 1)

    def test_a_file_that_is_no_image(self, folder):
        (folder / "dark" / "9.png").write_bytes(b"nothing")
        with pytest.raises(BadData, match=r"9\.png: is no image"):
            read_folder(folder, 8, gray=False, advance=lambda _: None)

    def test_a_class_without_images(self, folder):
        (folder / "gray").mkdir()
        with pytest.raises(BadData, match=r"class 'gray' has no images: put some into .*gray, or delete"):
            files_of(folder)
        (folder / "gray").rename(folder / ".cache")
        assert {label for _, label in files_of(folder)} == {"bright", "dark"}

    def test_no_images(self, tmp_path):
        with pytest.raises(BadData, match="one folder for each class"):
            files_of(tmp_path)
        with pytest.raises(BadData, match="is no folder"):
            files_of(tmp_path / "absent")
