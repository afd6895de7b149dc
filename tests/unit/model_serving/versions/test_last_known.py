"""What a restart without MLflow starts from."""

from pathlib import Path

import pytest

from services.model_serving.engine.loaded_model import ModelIdentity
from services.model_serving.versions.last_known import LastKnown

MODELS = [ModelIdentity("a", "1", "key", "digest", None), ModelIdentity("b", "12", "other", None, "run")]


class TestLastKnown:
    def test_gives_back_what_was_written_last(self, tmp_path: Path) -> None:
        last_known = LastKnown(tmp_path / "cache")
        last_known.write(MODELS[:1])
        last_known.write(MODELS)
        assert last_known.read() == MODELS
        assert [file.name for file in (tmp_path / "cache").iterdir()] == ["production.json"]

    def test_nothing_was_written_yet(self, tmp_path: Path) -> None:
        assert LastKnown(tmp_path).read() == []

    @pytest.mark.parametrize("content", ["", "{", "[1]", '[{"name": "a"}]', '{"name": "a"}', "3"])
    def test_a_file_that_is_not_ours_is_nothing(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "production.json").write_text(content)
        assert LastKnown(tmp_path).read() == []
