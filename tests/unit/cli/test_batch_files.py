"""The files of `mlp batch`."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mlplatform.cli.batch_files import read_items, write_results

FAILED = {"item": 1, "state": "failed", "output": None, "error": {"code": "poison", "detail": 'a "b", c\nd'}}
DONE = {"item": 0, "state": "succeeded", "output": {"label": "ä"}, "error": None}


class TestRead:
    @pytest.mark.parametrize(
        ("name", "text", "items"),
        [
            ("a.json", '[{"a": 1}, [1, 2], "x"]', [{"a": 1}, [1, 2], "x"]),
            ("a.jsonl", '{"a": 1}\n\n[2]\n', [{"a": 1}, [2]]),
            ("a.CSV", "\ufeffa,b\n1,x\n-2.5e3,\n", [{"a": 1, "b": "x"}, {"a": -2500.0, "b": None}]),
            ("a.csv", 'a,b\n"1,5",nan\n1_000,٣\n', [{"a": "1,5", "b": "nan"}, {"a": "1_000", "b": "٣"}]),
        ],
    )
    def test_items(self, tmp_path: Path, name: str, text: str, items: list[Any]) -> None:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        assert read_items(path) == items

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("a.txt", b"[]", "must end in"),
            ("a.json", b"{}", "must hold a list"),
            ("a.json", b"[", "cannot be read"),
            ("a.json", b"[]", "no items"),
            ("a.json", b"\xff\xfe", "cannot be read"),
            ("a.jsonl", b'{"a": 1}\n{"a"\n', "line 2"),
            ("a.csv", b"a,b\n1,2\n3\n", "line 3 has 1 cells"),
            ("a.csv", b"a,b\n", "no items"),
            ("a.csv", b"", "no items"),
        ],
    )
    def test_none(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, said: str
    ) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(typer.Exit) as ended:
            read_items(path)
        assert ended.value.exit_code == 64
        assert said in capsys.readouterr().err

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(typer.Exit):
            read_items(tmp_path / "a.json")


class TestWrite:
    def test_rows(self, tmp_path: Path) -> None:
        path = tmp_path / "results.csv"
        assert write_results(path, [DONE, FAILED]) == 2
        with path.open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file)) == [
                ["item", "state", "output", "code", "detail"],
                ["0", "succeeded", '{"label": "ä"}', "", ""],
                ["1", "failed", "", "poison", 'a "b", c\nd'],
            ]

    def test_lines_are_items_again(self, tmp_path: Path) -> None:
        path = tmp_path / "results.jsonl"
        assert write_results(path, [DONE, FAILED]) == 2
        assert read_items(path) == [DONE, FAILED]

    def test_a_file_is_there_only_when_it_is_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "results.jsonl"
        path.write_text("before")

        def broken() -> Iterator[dict[str, Any]]:
            yield DONE
            raise typer.Exit(5)

        with pytest.raises(typer.Exit):
            write_results(path, broken())
        assert path.read_text() == "before"
        assert list(tmp_path.iterdir()) == [path]

    def test_files_of_others_beside_it_stay(self, tmp_path: Path) -> None:
        path, other = tmp_path / "results.jsonl", tmp_path / "results.jsonl.part"
        other.write_text("of somebody else")

        def twice() -> Iterator[dict[str, Any]]:
            yield DONE
            write_results(path, [FAILED])
            yield FAILED

        assert write_results(path, twice()) == 2
        assert read_items(path) == [DONE, FAILED]
        assert other.read_text() == "of somebody else"
        assert set(tmp_path.iterdir()) == {path, other}

    def test_another_ending(self, tmp_path: Path) -> None:
        with pytest.raises(typer.Exit):
            write_results(tmp_path / "results.xlsx", [DONE])
