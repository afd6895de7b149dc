from contextlib import closing
from pathlib import Path

from mlplatform.stack.follow import follow


class TestFollow:
    def test_yields_the_last_lines_and_what_comes_after(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_text("oldest\nolder\nold\n")
        with closing(follow(path, 2)) as found:
            assert [next(found), next(found)] == ["older", "old"]
            with path.open("a") as stream:
                stream.write("new\n")
            assert next(found) == "new"

    def test_goes_on_after_the_log_was_rotated(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_text("old\n")
        with closing(follow(path, 1)) as found:
            assert next(found) == "old"
            path.rename(tmp_path / "log.1")
            path.write_text("new\n")
            assert next(found) == "new"
