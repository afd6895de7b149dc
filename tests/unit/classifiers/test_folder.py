"""What is refused before anything of it is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlplatform.classifiers.folder import check_folder
from mlplatform.classifiers.task import Task
from mlplatform.embedders.errors import EmbedderError

TEXTS: dict[str, Any] = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "calm", "1": "angry"}}
IMAGES: dict[str, Any] = {"architectures": ["ViTForImageClassification"], "id2label": {"0": "cat", "1": "dog"}}
OBJECTS: dict[str, Any] = {"architectures": ["YolosForObjectDetection"], "id2label": {"0": "N/A", "1": "N/A"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what texts and images need, and the configuration of a classifier of texts."""
    write(tmp_path, TEXTS)
    for name in ("model.safetensors", "tokenizer.json", "preprocessor_config.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def write(folder: Path, config: dict[str, Any], **changes: Any) -> None:
    """Write a configuration, without what is changed to None."""
    kept = {name: value for name, value in (config | changes).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept))


def refusal(folder: Path, task: Task = Task.TEXTS) -> str:
    with pytest.raises(EmbedderError) as caught:
        check_folder(folder, task)
    return str(caught.value)


class TestTasks:
    @pytest.mark.parametrize(("task", "config"), [(Task.TEXTS, TEXTS), (Task.IMAGES, IMAGES), (Task.OBJECTS, OBJECTS)])
    def test_a_saved_model_is_taken_for_its_task_alone(self, folder: Path, task: Task, config: dict[str, Any]) -> None:
        write(folder, config)

        check_folder(folder, task)
        for other in set(Task) - {task}:
            assert f"for another task: pass --task {task}" in refusal(folder, other)

    def test_heads_that_have_a_longer_name_are_taken(self, folder: Path) -> None:
        write(folder, IMAGES, architectures=["DeiTForImageClassificationWithTeacher"])

        check_folder(folder, Task.IMAGES)

    def test_a_model_without_a_head_for_any_task(self, folder: Path) -> None:
        write(folder, TEXTS, architectures=["BertForMaskedLM"])

        assert "BertForMaskedLM, which is not for text-classification" in refusal(folder)
        assert "…ForSequenceClassification" in refusal(folder)

    @pytest.mark.parametrize("named", [None, [], "BertForSequenceClassification"])
    def test_a_configuration_that_names_no_architecture(self, folder: Path, named: object) -> None:
        write(folder, TEXTS, architectures=named)

        assert "names no architecture" in refusal(folder)


class TestCode:
    @pytest.mark.parametrize("name", ["modeling.py", "pytorch_model.bin", "training_args.bin", "weights.pkl"])
    def test_code_and_pickles_are_refused_by_name(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes(b"")

        assert name in refusal(folder)

    @pytest.mark.parametrize("key", ["auto_map", "custom_pipelines"])
    @pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "preprocessor_config.json"])
    def test_configurations_that_name_code_are_refused(self, folder: Path, name: str, key: str) -> None:
        content = json.dumps(TEXTS | {"deep": [{key: {"AutoModel": "elsewhere--modeling.Model"}}]})
        (folder / name).write_text(content.replace(key, f"{key[:4]}\\u{ord(key[4]):04x}{key[5:]}"))

        assert f"{name} names code of the model's own ({key})" in refusal(folder)

    def test_an_adapter_is_refused(self, folder: Path) -> None:
        (folder / "adapter_config.json").write_text("{}")

        assert "merge_and_unload" in refusal(folder)

    def test_what_tools_put_beside_is_left_out(self, folder: Path) -> None:
        (folder / ".git").mkdir()
        (folder / ".git" / "hook.py").write_text("")

        check_folder(folder, Task.TEXTS)


class TestClasses:
    @pytest.mark.parametrize("names", [None, {}, ["calm", "angry"], {"0": 1, "1": 2}])
    def test_without_names_it_is_refused(self, folder: Path, names: object) -> None:
        write(folder, TEXTS, id2label=names)

        assert "set model.config.id2label" in refusal(folder)

    def test_a_score_is_no_class(self, folder: Path) -> None:
        write(folder, TEXTS, id2label={"0": "LABEL_0"})
        assert "register-reranker" in refusal(folder)
        write(folder, TEXTS, problem_type="regression")
        assert "register-reranker" in refusal(folder)

    def test_classes_of_one_name_are_refused(self, folder: Path) -> None:
        write(folder, TEXTS, id2label={"0": "calm", "1": "calm"})

        assert "have one name" in refusal(folder)


class TestParts:
    @pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
    def test_what_lacks_is_said(self, folder: Path, name: str) -> None:
        (folder / name).unlink()

        said = {
            "config.json": "model.save_pretrained(FOLDER)",
            "model.safetensors": "no .safetensors file",
            "tokenizer.json": "tokenizer.save_pretrained(FOLDER)",
        }
        assert said[name] in refusal(folder)

    def test_a_vocabulary_of_sentence_pieces_is_taken(self, folder: Path) -> None:
        (folder / "tokenizer.json").rename(folder / "spiece.model")

        check_folder(folder, Task.TEXTS)

    @pytest.mark.parametrize(("task", "config"), [(Task.IMAGES, IMAGES), (Task.OBJECTS, OBJECTS)])
    def test_images_need_a_processor(self, folder: Path, task: Task, config: dict[str, Any]) -> None:
        write(folder, config)
        (folder / "preprocessor_config.json").unlink()

        assert "image_processor.save_pretrained(FOLDER)" in refusal(folder, task)

    def test_a_configuration_that_is_none(self, folder: Path) -> None:
        (folder / "config.json").write_text("{")
        assert "config.json is no JSON" in refusal(folder)
        (folder / "config.json").write_text("[]")
        assert "names no architecture" in refusal(folder)
