"""The estimate of what a model takes in memory."""

from pathlib import Path

from sklearn.linear_model import LinearRegression

from services.model_serving.loading.memory import SMALLEST, memory_of
from tests.unit.model_serving.saved import FRAME, load, save_sklearn


class TestMemoryOf:
    def test_it_grows_with_the_artifacts(self) -> None:
        assert memory_of("sklearn", 10_000_000) - memory_of("sklearn", 5_000_000) == 6_000_000

    def test_an_unknown_library_is_taken_for_a_large_one(self) -> None:
        assert memory_of("pyfunc", 1000) >= memory_of("lightgbm", 1000)

    def test_a_loaded_model_knows_its_size(self, tmp_path: Path) -> None:
        model = load(save_sklearn(tmp_path / "m", LinearRegression().fit(FRAME, FRAME["a"])))
        assert model.size == memory_of("sklearn", model.report.size) > SMALLEST
