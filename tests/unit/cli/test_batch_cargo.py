"""What `mlp batch submit` sends, told by names, and many files packed into few archives."""

import resource
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from mlplatform.cli.batch_cargo import (
    BACKWARDS,
    ENTRY_SIZE,
    FILE_SIZE,
    MOST_PARTS,
    PACK_ENTRIES,
    PACK_SIZE,
    Cargo,
    choose,
    parts_of,
)
from services.model_serving.batch.uploads import names
from services.model_serving.batch.uploads.archive import list_archive
from services.model_serving.batch.uploads.limits import Limits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.csv", "a.json", "a.jsonl", "a.ndjson", "a.parquet", "a.txt", "a.zip", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "more").mkdir()
    return tmp_path


class TestChoose:
    @pytest.mark.parametrize(
        ("names", "kind"),
        [
            (["a.csv"], "items"),
            (["a.json"], "items"),
            (["a.jsonl"], "items"),
            (["a.parquet"], "table"),
            (["a.ndjson"], "table"),
            (["a.txt"], "files"),
            (["a.zip", "b.png", "more"], "files"),
            (["more"], "files"),
        ],
    )
    def test_by_names(self, folder: Path, names: list[str], kind: str) -> None:
        paths = [folder / name for name in names]
        assert choose(paths, None) == Cargo(kind, paths)

    @pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
    def test_a_table_by_option(self, folder: Path, name: str) -> None:
        assert choose([], folder / name) == Cargo("table", [folder / name])

    @pytest.mark.parametrize(
        ("names", "table", "said"),
        [
            ([], None, "Say what is to be scored"),
            (["a.txt"], "a.csv", "not both"),
            ([], "a.txt", "must end in .csv"),
            (["a.txt", "a.csv"], None, "a job of their own"),
            (["nowhere.txt"], None, "no such file"),
            (["long" * 100], None, "cannot be read"),
        ],
    )
    def test_what_makes_no_sense(
        self, folder: Path, capsys: pytest.CaptureFixture[str], names: list[str], table: str | None, said: str
    ) -> None:
        with pytest.raises(typer.Exit) as ended:
            choose([folder / name for name in names], table and folder / table)
        assert ended.value.exit_code == 64
        assert said in capsys.readouterr().err

    def test_many_items_are_a_table(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with (folder / "a.csv").open("wb") as file:
            file.truncate(1 << 30)
        with pytest.raises(typer.Exit):
            choose([folder / "a.csv"], None)
        assert f"--table {folder / 'a.csv'}" in capsys.readouterr().err


@contextmanager
def limited(size: int) -> Iterator[None]:
    """Let no file that is written be larger, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names_of(paths: list[Path]) -> list[str | list[str]]:
    """Return the names of the parts; of archives that were packed here those of their entries."""
    found: list[str | list[str]] = []
    with parts_of(paths) as parts:
        for name, content in parts:
            if name.startswith("files-"):
                with zipfile.ZipFile(content) as archive:
                    assert archive.testzip() is None
                found.append([entry.name for entry in list_archive(content, Limits())])
            else:
                found.append(name)
    return found


class TestParts:
    def test_folders_are_walked_in_order_without_links_and_hidden_files(self, tmp_path: Path) -> None:
        for name in ("in/b/2.txt", "in/b/1.txt", "in/a.txt", "in/.hidden", "in/.git/x", "outside"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        (tmp_path / "in/link.txt").symlink_to(tmp_path / "outside")
        assert names_of([tmp_path / "in", tmp_path / "outside"]) == [["a.txt", "b/1.txt", "b/2.txt", "outside"]]
        assert names_of([tmp_path / "in/b", tmp_path / "outside"]) == ["1.txt", "2.txt", "outside"]

    def test_many_are_packed_in_order_and_archives_stay_as_they_are(self, tmp_path: Path) -> None:
        for number in range(PACK_ENTRIES + 5):
            (tmp_path / f"{number:05}.txt").write_bytes(b"x")
        (tmp_path / "00002.zip").write_bytes(b"PK")
        first, archive, second, third = names_of([tmp_path])
        assert (first, archive) == (["00000.txt", "00001.txt", "00002.txt"], "00002.zip")
        assert [len(second), len(third)] == [PACK_ENTRIES, 2]
        assert [*second, *third] == [f"{number:05}.txt" for number in range(3, PACK_ENTRIES + 5)]

    def test_an_archive_is_not_larger_than_a_file_may_be(self, tmp_path: Path) -> None:
        for number in range(MOST_PARTS + 1):
            with (tmp_path / f"{number:03}").open("wb") as file:
                file.truncate((PACK_SIZE // 60) - ENTRY_SIZE - 6)
        assert [len(one) for one in names_of([tmp_path])] == [60, 41]

    def test_files_of_one_name_are_not_in_one_archive(self, tmp_path: Path) -> None:
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            for number in range(MOST_PARTS):
                (tmp_path / folder / f"{number:03}").write_bytes(b"x")
        assert [len(one) for one in names_of([tmp_path / "a", tmp_path / "b"])] == [100, 100]

    def test_names_are_fit_for_the_service(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        for name in ("C: notes.txt", "a\\b.txt", "c\nd.txt", "at 9.41\u202fAM.png", "at 9:41.txt", "fdp\u202etxt.txt"):
            (tmp_path / "in" / name).write_bytes(b"x")
        (packed,) = names_of([tmp_path])
        assert packed == [
            "in/C: notes.txt",
            "in/a_b.txt",
            "in/at 9.41\u202fAM.png",
            "in/at 9:41.txt",
            "in/c_d.txt",
            "in/fdp_txt.txt",
        ]
        assert names_of([tmp_path / "in"])[0] == "C_ notes.txt"

    @pytest.mark.parametrize("name", ["logs.tar.gz", "app.jar", "b.7Z", "c.zip"])
    def test_archives_of_any_kind_are_not_packed(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in/a.txt").write_bytes(b"x")
        (tmp_path / "in" / name).write_bytes(b"x")
        (tmp_path / "z.txt").write_bytes(b"x")
        assert names_of([tmp_path]) == [["z.txt", "in/a.txt"], f"in/{name}"]

    def test_the_service_has_the_same_limits(self) -> None:
        limits = Limits()
        assert (limits.files, limits.archive_entries, limits.file_size) == (MOST_PARTS, PACK_ENTRIES, FILE_SIZE)
        assert names.BACKWARDS == BACKWARDS

    def test_a_file_that_makes_too_large_an_archive_is_not_packed(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        for name, size in (("a.png", 50), ("b.png", 49)):
            with (tmp_path / "in" / name).open("wb") as file:
                file.truncate(size << 20)
        assert names_of([tmp_path]) == ["in/a.png", ["in/b.png"]]

    def test_more_than_may_be_sent_is_not_written(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        for number in range(MOST_PARTS // 2 + 1):
            for ending in ("txt", "zip"):
                (tmp_path / f"{number:05}.{ending}").write_bytes(b"x")
        with pytest.raises(typer.Exit) as ended, parts_of([tmp_path]):
            pass
        assert ended.value.exit_code == 64
        assert "too much for one job" in capsys.readouterr().err

    def test_no_room_to_pack(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in/a.txt").write_bytes(bytes(1 << 20))
        with limited(1 << 16), pytest.raises(typer.Exit) as ended, parts_of([tmp_path]):
            pass
        assert ended.value.exit_code == 1
        said = capsys.readouterr().err
        assert "cannot be packed" in said
        assert "TMPDIR" in said

    def test_a_file_that_cannot_be_read_to_its_end(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in/a.txt").write_bytes(b"x")
        with pytest.raises(typer.Exit) as ended, parts_of([tmp_path, Path("/proc/self/mem")]):
            pass
        assert ended.value.exit_code == 64
        assert "/proc/self/mem cannot be read" in capsys.readouterr().err

    def test_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(typer.Exit) as ended, parts_of([tmp_path]):
            pass
        assert ended.value.exit_code == 64
        assert "no files" in capsys.readouterr().err
