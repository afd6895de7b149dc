"""Models that bring code along, several versions of them in one process."""

import sys
from pathlib import Path

import pytest

from mlplatform.registry.digest import artifact_digest
from services.model_serving.errors import LoadError
from tests.unit.model_serving.saved import FRAME, load, save_code

ENTRY = """
    import mlflow
    from bundled_features import FACTOR, scale

    class Scaler(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return scale(model_input["a"]).to_numpy() * FACTOR

    mlflow.models.set_model(Scaler())
"""
FEATURES = """
    from bundled_constants import OFFSET

    FACTOR = {factor}

    def scale(values):
        return values + OFFSET
"""
INPUTS = FRAME.to_dict("records")


def save_version(folder: Path, factor: int) -> Path:
    return save_code(
        folder, ENTRY, bundled_features=FEATURES.format(factor=factor), bundled_constants=f"OFFSET = {factor * 100}"
    )


class TestTwoVersions:
    def test_each_runs_its_own_code(self, tmp_path: Path) -> None:
        first = load(save_version(tmp_path / "one", 1), version="1")
        second = load(save_version(tmp_path / "two", 2), version="2")
        assert list(first.score(INPUTS, {})) == [101.0, 102.0]
        assert list(second.score(INPUTS, {})) == [402.0, 404.0]
        assert list(first.score(INPUTS, {})) == [101.0, 102.0]

    def test_nothing_of_them_stays_importable(self, tmp_path: Path) -> None:
        path = list(sys.path)
        load(save_version(tmp_path / "one", 1))
        assert not {"bundled_features", "bundled_constants"} & sys.modules.keys()
        assert not [name for name in sys.modules if name.startswith("code_model_")]
        assert sys.path == path

    def test_a_module_of_the_same_name_in_the_process_is_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "bundled_features", sys)
        model = load(save_version(tmp_path / "one", 3))
        assert list(model.score(INPUTS, {})) == [903.0, 906.0]
        assert sys.modules["bundled_features"] is sys

    def test_the_artifacts_are_as_before(self, tmp_path: Path) -> None:
        folder = save_version(tmp_path / "one", 1)
        before = artifact_digest(folder)
        load(folder)
        assert artifact_digest(folder) == before


class TestRefusals:
    def test_code_that_is_imported_inside_a_function(self, tmp_path: Path) -> None:
        late = """
            import mlflow

            class Late(mlflow.pyfunc.PythonModel):
                def predict(self, context, model_input, params=None):
                    import bundled_features
                    return bundled_features.scale(model_input["a"])

            mlflow.models.set_model(Late())
        """
        folder = save_code(
            tmp_path / "late", late, bundled_features=FEATURES.format(factor=1), bundled_constants="OFFSET = 1"
        )
        with pytest.raises(LoadError, match=r"'bundled_features' inside a function\. Move the import to the top"):
            load(folder)

    def test_code_that_has_the_name_of_an_installed_package(self, tmp_path: Path) -> None:
        folder = save_version(tmp_path / "taken", 1)
        (folder / "code" / "bundled_constants.py").rename(folder / "code" / "numpy.py")
        with pytest.raises(LoadError, match="hold numpy, which is also an installed package"):
            load(folder)

    def test_a_script_that_sets_no_model_does_not_become_the_one_before(self, tmp_path: Path) -> None:
        load(save_version(tmp_path / "one", 1))
        folder = save_version(tmp_path / "two", 2)
        entry = folder / "entry.py"
        entry.write_text(entry.read_text().replace("mlflow.models.set_model(Scaler())", ""))
        with pytest.raises(Exception, match="ensure the model is set"):
            load(folder)
