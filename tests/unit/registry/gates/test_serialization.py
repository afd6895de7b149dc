"""Which files are pickles."""

import pickle
from pathlib import Path
from zipfile import ZipFile

from mlplatform.registry.gates.serialization import find_pickles


class TestFindPickles:
    def test_by_name_content_and_what_an_archive_holds(self, tmp_path: Path):
        (tmp_path / "data").mkdir()
        (tmp_path / "model.PKL").write_bytes(b"")
        (tmp_path / "model.pkl").write_bytes(b"anything")
        (tmp_path / "data" / "weights.bin").write_bytes(pickle.dumps({"w": 1}))
        with ZipFile(tmp_path / "data" / "model.pth", "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps([1]))
        assert find_pickles(tmp_path) == ["data/model.pth", "data/weights.bin", "model.PKL", "model.pkl"]

    def test_other_formats_are_left_alone(self, tmp_path: Path):
        (tmp_path / "MLmodel").write_text("flavors: {}\n")
        (tmp_path / "model.safetensors").write_bytes(b"\x40\x00\x00\x00\x00\x00\x00\x00{}")
        (tmp_path / "empty").write_bytes(b"")
        (tmp_path / "image.jpg").write_bytes(b"\x80\xff")
        (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04nothing")
        with ZipFile(tmp_path / "model.skops", "w") as archive:
            archive.writestr("schema.json", "{}")
        assert find_pickles(tmp_path) == []
