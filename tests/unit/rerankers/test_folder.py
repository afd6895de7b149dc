"""What is refused before anything of it is loaded."""

import json
from pathlib import Path

import pytest

from mlplatform.embedders.errors import EmbedderError
from mlplatform.rerankers.folder import check_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


class TestCheckFolder:
    def test_a_model_without_a_list_of_modules_is_taken(self, folder: Path) -> None:
        check_folder(folder)

    def test_modules_of_its_own_are_refused(self, folder: Path) -> None:
        (folder / "modules.json").write_text(json.dumps([{"type": "custom.Scores"}]))

        with pytest.raises(EmbedderError, match=r"custom\.Scores"):
            check_folder(folder)

    @pytest.mark.parametrize("name", ["modeling.py", "pytorch_model.bin"])
    def test_code_and_pickles_are_refused_by_name(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes(b"")

        with pytest.raises(EmbedderError, match=name.replace(".", r"\.")):
            check_folder(folder)

    def test_a_folder_without_a_configuration_is_no_model(self, tmp_path: Path) -> None:
        with pytest.raises(EmbedderError, match="save_pretrained"):
            check_folder(tmp_path)
