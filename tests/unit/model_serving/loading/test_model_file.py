"""The `MLmodel` file, read as MLflow reads it."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from mlflow.models import Model
from sklearn.linear_model import LinearRegression

from services.model_serving.loading.model_file import read_model_file
from tests.unit.model_serving.saved import FRAME, save_sklearn


class TestRead:
    def test_it_is_what_mlflow_reads(self, tmp_path: Path) -> None:
        folder = save_sklearn(
            tmp_path / "m", LinearRegression().fit(FRAME, np.zeros(2)), metadata={"ml.row_wise": True}
        )
        assert read_model_file(folder).to_dict() == Model.load(str(folder)).to_dict()

    def test_the_slow_parser_is_not_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = save_sklearn(tmp_path / "m", LinearRegression().fit(FRAME, np.zeros(2)))
        monkeypatch.delattr(yaml, "SafeLoader")
        assert read_model_file(folder).flavors["sklearn"]
