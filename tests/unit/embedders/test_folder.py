"""What is refused before anything of it is loaded."""

import json
from pathlib import Path

import pytest

from mlplatform.embedders.errors import EmbedderError
from mlplatform.embedders.folder import check_folder, model_files

TRANSFORMER = "sentence_transformers.models.Transformer"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": TRANSFORMER}]))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


class TestCheckFolder:
    def test_a_saved_model_is_taken(self, folder: Path) -> None:
        check_folder(folder)

    @pytest.mark.parametrize("name", ["modeling.py", "0_Transformer/pytorch_model.bin", "weights.pkl", "x.so"])
    def test_code_and_pickles_are_refused_by_name(self, folder: Path, name: str) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")

        with pytest.raises(EmbedderError, match=name.replace(".", r"\.")):
            check_folder(folder)

    def test_a_module_of_its_own_is_refused(self, folder: Path) -> None:
        (folder / "modules.json").write_text(json.dumps([{"type": "custom_st.Transformer"}]))

        with pytest.raises(EmbedderError, match=r"custom_st\.Transformer"):
            check_folder(folder)

    def test_a_configuration_that_names_code_is_refused(self, folder: Path) -> None:
        (folder / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "modeling.Model"}}))

        with pytest.raises(EmbedderError, match=r"config\.json names code"):
            check_folder(folder)

    @pytest.mark.parametrize("content", ["{", "[{}]", "[1]", "null"])
    def test_a_list_of_modules_that_is_none_is_refused(self, folder: Path, content: str) -> None:
        (folder / "modules.json").write_text(content)

        with pytest.raises(EmbedderError, match="not a list of modules"):
            check_folder(folder)

    def test_a_folder_without_weights_or_without_anything_is_refused(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        with pytest.raises(EmbedderError, match="no weights"):
            check_folder(folder)
        (folder / "modules.json").unlink()
        with pytest.raises(EmbedderError, match=r"has no modules\.json"):
            check_folder(folder)
        with pytest.raises(EmbedderError, match="is no folder"):
            check_folder(folder / "nothing")

    def test_what_a_hub_puts_beside_a_model_is_left_out(self, folder: Path) -> None:
        (folder / ".git").mkdir()
        (folder / ".git" / "hook.py").write_text("")

        check_folder(folder)
        assert [path.name for path in model_files(folder)] == ["config.json", "model.safetensors", "modules.json"]
