from pathlib import Path

import pytest

from services.embedding.encoding.exports import ExportMissingError, Exports

DIGEST = "a" * 64


class Writer:
    """Writes an export, and counts how often."""

    def __init__(self, *, crashes: bool = False) -> None:
        self.calls = 0
        self.crashes = crashes

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "model").write_bytes(b"weights")
        if self.crashes:
            raise KeyboardInterrupt


@pytest.fixture
def exports(tmp_path) -> Exports:
    return Exports(tmp_path, DIGEST)


class TestMake:
    def test_an_export_is_made_once(self, exports, tmp_path):
        writer = Writer()

        made = exports.make("graph", writer)
        again = Exports(tmp_path, DIGEST).make("graph", writer)

        assert (made, writer.calls) == (again, 1)

    def test_a_damaged_one_is_made_anew(self, exports):
        writer = Writer()
        folder = exports.make("graph", writer)
        (folder / "model").write_bytes(b"wei")

        made = exports.make("graph", writer)

        assert ((made / "model").read_bytes(), writer.calls) == (b"weights", 2)

    def test_one_of_another_model_is_not_taken(self, exports, tmp_path):
        exports.make("graph", Writer())

        with pytest.raises(ExportMissingError):
            Exports(tmp_path, "b" * 64).find("graph")

    def test_one_by_other_versions_of_the_libraries_is_not_taken(self, exports, tmp_path, monkeypatch):
        exports.make("graph", Writer())
        monkeypatch.setattr("services.embedding.encoding.exports.library_versions", lambda: {"openvino": "0"})

        with pytest.raises(ExportMissingError):
            Exports(tmp_path, DIGEST).find("graph")

    def test_a_crash_leaves_nothing_behind_that_is_taken_for_an_export(self, exports):
        with pytest.raises(KeyboardInterrupt):
            exports.make("graph", Writer(crashes=True))

        with pytest.raises(ExportMissingError):
            exports.find("graph")


class TestFind:
    def test_a_sound_export_is_found(self, exports):
        made = exports.make("graph", Writer())

        assert exports.find("graph") == made

    def test_a_damaged_one_is_not(self, exports):
        folder = exports.make("graph", Writer())
        (folder / "model").unlink()

        with pytest.raises(ExportMissingError):
            exports.find("graph")
