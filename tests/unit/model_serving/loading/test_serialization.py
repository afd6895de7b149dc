"""What may be loaded, and what would run code that nobody vouches for."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import pytest
import skops.io
import yaml
from mlflow.models import infer_signature
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression

from services.model_serving.errors import UnsafeModelError
from services.model_serving.process import PICKLE_VARIABLE
from tests.unit.model_serving.saved import FRAME, OPTIONS, load, save_sklearn

INPUTS = FRAME.to_dict("records")
LINE = LinearRegression().fit(FRAME, FRAME["a"])


class TestSkops:
    @pytest.mark.parametrize(
        "model",
        [
            LINE,
            RandomForestRegressor(3, random_state=0).fit(FRAME, FRAME["a"]),
            HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=1).fit(FRAME, FRAME["a"]),
        ],
        ids=["linear", "forest", "boosting"],
    )
    def test_a_model_of_trusted_types_is_loaded(self, tmp_path: Path, model: Any) -> None:
        folder = save_sklearn(tmp_path / "m", model, skops_trusted_types=types_of(model, tmp_path))
        np.testing.assert_array_equal(load(folder).score(INPUTS, {}), model.predict(FRAME))

    def test_a_type_that_only_the_model_itself_trusts_is_refused_by_name(self, tmp_path: Path) -> None:
        folder = foreign_model(tmp_path)
        with pytest.raises(UnsafeModelError, match=r"collections\.Counter.*ML_SERVING_TRUSTED_TYPES"):
            load(folder)

    def test_a_type_that_the_operator_trusts_is_loaded(self, tmp_path: Path) -> None:
        folder = foreign_model(tmp_path)
        assert len(load(folder, serving_trusted_types=("collections.*",)).score(INPUTS, {})) == 2

    def test_a_file_outside_of_the_folder_is_refused(self, tmp_path: Path) -> None:
        folder = save_sklearn(tmp_path / "m", LINE)
        (tmp_path / "other.skops").write_bytes((folder / "model.skops").read_bytes())
        edit(folder, lambda flavors: flavors["python_function"].update(model_path="../other.skops"))
        with pytest.raises(UnsafeModelError, match="outside"):
            load(folder)

    def test_a_file_that_is_no_skops_is_refused(self, tmp_path: Path) -> None:
        folder = save_sklearn(tmp_path / "m", LINE)
        (folder / "model.skops").write_bytes(b"no zip")
        with pytest.raises(UnsafeModelError, match="no skops file"):
            load(folder)


class TestPickle:
    def test_a_pickled_model_is_refused_with_the_remedy(self, tmp_path: Path) -> None:
        folder = save_sklearn(tmp_path / "m", LINE, "cloudpickle")
        with pytest.raises(UnsafeModelError, match="ML_SERVING_ALLOW_PICKLE"):
            load(folder)

    def test_a_pickled_model_under_another_name_is_refused(self, tmp_path: Path) -> None:
        folder = save_sklearn(tmp_path / "m", LINE, "cloudpickle")
        (folder / "model.pkl").rename(folder / "model.txt")
        edit(folder, lambda flavors: flavors["python_function"].update(model_path="model.txt"))
        edit(folder, lambda flavors: flavors["sklearn"].update(pickled_model="model.txt"))
        with pytest.raises(mlflow.MlflowException, match="disallowed"):
            load(folder)

    def test_a_model_that_the_operator_names_is_loaded(self, tmp_path: Path) -> None:
        folder = save_sklearn(tmp_path / "m", LINE, "cloudpickle")
        model = load(folder, name="trusted", serving_allow_pickle=("trusted",))
        np.testing.assert_array_equal(model.score(INPUTS, {}), LINE.predict(FRAME))

    def test_the_switch_of_the_process_is_as_before(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(PICKLE_VARIABLE, "false")
        load(save_sklearn(tmp_path / "m", LINE))
        assert not mlflow.environment_variables.MLFLOW_ALLOW_PICKLE_DESERIALIZATION.get()


class TestLightgbm:
    def test_a_booster_is_loaded_natively_and_called_past_mlflow(self, tmp_path: Path) -> None:
        options = {"verbosity": -1, "min_data_in_leaf": 1, "min_data_in_bin": 1, "num_threads": 1}
        booster = lightgbm.train(options, lightgbm.Dataset(FRAME, FRAME["a"]), 3)
        signature = infer_signature(FRAME, booster.predict(FRAME))
        mlflow.lightgbm.save_model(booster, tmp_path / "m", signature=signature, **OPTIONS)
        model = load(tmp_path / "m")
        assert model.report.path == "native"
        np.testing.assert_array_equal(model.score(INPUTS, {}), booster.predict(FRAME))


def foreign_model(folder: Path) -> Path:
    model = LinearRegression().fit(FRAME, FRAME["a"])
    model.notes = Counter()
    return save_sklearn(folder / "m", model, skops_trusted_types=["collections.Counter"])


def types_of(model: object, folder: Path) -> list[str]:
    skops.io.dump(model, folder / "types.skops")
    return skops.io.get_untrusted_types(file=folder / "types.skops")


def edit(folder: Path, change: Callable[[dict], None]) -> None:
    file = folder / "MLmodel"
    content = yaml.safe_load(file.read_text())
    change(content["flavors"])
    file.write_text(yaml.safe_dump(content))
