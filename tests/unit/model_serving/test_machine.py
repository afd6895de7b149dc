"""How much memory there is."""

from pathlib import Path

from services.model_serving.machine import memory_limit


class TestMemoryLimit:
    def test_the_limit_of_the_control_group_counts_when_it_is_less(self, tmp_path: Path) -> None:
        (tmp_path / "memory.max").write_text("1048576\n")
        assert memory_limit((tmp_path / "memory.max",)) == 1048576

    def test_without_a_limit_the_machine_counts(self, tmp_path: Path) -> None:
        (tmp_path / "memory.max").write_text("max\n")
        assert memory_limit((tmp_path / "memory.max", tmp_path / "absent")) == memory_limit(()) > 1048576

    def test_a_limit_above_the_machine_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "limit").write_text("9223372036854771712")
        assert memory_limit((tmp_path / "limit",)) == memory_limit(())
