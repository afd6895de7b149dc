"""Errors against persistence, on real observations only."""

from dataclasses import replace

import numpy as np
import pytest
from evaluate import evaluate
from walk_forward import Forecast

from mlplatform.training.failures import BadData

DAYS, TENORS = 80, 13


@pytest.fixture
def forecast():
    """Forecasts that are right to a tenth, where persistence errs by one and two."""
    last = np.full((DAYS, TENORS), 3.0)
    actual = np.stack([last + 1, last + 2], axis=1)
    return Forecast(
        fold=np.repeat([1, 2], DAYS // 2),
        origins=np.arange(120, 200),
        horizons=(1, 5),
        forecast=actual + 0.1,
        last=last,
        actual=actual,
        weights={"ridge": 1.0},
    )


class TestEvaluate:
    def test_errors_and_skill(self, forecast, dataset):
        overall = evaluate(forecast, dataset, seed=7).overall
        assert overall.rmse == pytest.approx(0.1)
        assert overall.mae == pytest.approx(0.1)
        assert overall.persistence_rmse == pytest.approx(np.sqrt(2.5))
        assert overall.persistence_mae == pytest.approx(1.5)
        assert overall.skill == pytest.approx(1 - 0.1 / np.sqrt(2.5))
        assert overall.observations == DAYS * TENORS * 2

    def test_what_was_not_observed_is_not_scored(self, forecast, dataset):
        forecast.actual[:40, 0, 3] = np.nan
        forecast.actual[:, :, 5] = np.nan
        forecast.forecast[:40, 0, 3] = 1e9
        evaluation = evaluate(forecast, dataset, seed=7)
        assert evaluation.overall.observations == DAYS * TENORS * 2 - 40 - DAYS * 2
        assert evaluation.overall.rmse == pytest.approx(0.1)
        assert evaluation.tenors["4 Mo"].observations == DAYS * 2 - 40
        assert evaluation.cells[1, "4 Mo"].observations == 40
        assert "1 Yr" not in evaluation.tenors
        assert evaluation.folds[1].observations == 40 * TENORS * 2 - 40 - 80
        assert evaluation.folds[2].observations == 40 * TENORS * 2 - 80

    def test_slices_add_up(self, forecast, dataset):
        evaluation = evaluate(forecast, dataset, seed=7)
        assert [evaluation.horizons[ahead].persistence_rmse for ahead in (1, 5)] == pytest.approx([1.0, 2.0])
        for slices in (evaluation.horizons, evaluation.tenors, evaluation.folds, evaluation.cells):
            assert sum(part.observations for part in slices.values()) == evaluation.overall.observations

    def test_nothing_to_score(self, forecast, dataset):
        with pytest.raises(BadData, match="none of the days to score"):
            evaluate(replace(forecast, actual=np.full_like(forecast.actual, np.nan)), dataset, seed=7)

    def test_digest_is_of_what_was_scored(self, forecast, dataset):
        digest = evaluate(forecast, dataset, seed=7).digest
        assert evaluate(replace(forecast, forecast=forecast.actual), dataset, seed=8).digest == digest
        assert evaluate(replace(forecast, origins=forecast.origins - 1), dataset, seed=7).digest != digest
        forecast.actual[3, 0, 0] = np.nan
        assert evaluate(forecast, dataset, seed=7).digest != digest


class TestVerdict:
    @pytest.mark.parametrize(
        ("share", "verdict"),
        [(0.5, "better than persistence"), (1.5, "worse than persistence")],
        ids=["better", "worse"],
    )
    def test_clear(self, forecast, dataset, share, verdict):
        random = np.random.default_rng(3)
        moves, noise = random.standard_normal((2, *forecast.actual.shape))
        actual = forecast.last[:, None] + moves
        evaluation = evaluate(replace(forecast, actual=actual, forecast=actual + share * noise), dataset, seed=7)
        low, high = evaluation.interval
        assert low < evaluation.overall.skill < high
        assert evaluation.verdict() == verdict

    def test_not_clear(self, forecast, dataset):
        random = np.random.default_rng(3)
        actual = forecast.last[:, None] + random.standard_normal(forecast.actual.shape)
        guess = forecast.last[:, None] + 0.01 * random.standard_normal(forecast.actual.shape)
        evaluation = evaluate(replace(forecast, actual=actual, forecast=guess), dataset, seed=7)
        assert evaluation.interval[0] < 0 < evaluation.interval[1]
        assert evaluation.verdict() == "not distinguishable from persistence"


class TestMetrics:
    def test_names(self, forecast, dataset):
        evaluation = evaluate(forecast, dataset, seed=7)
        metrics = evaluation.metrics()
        assert {"rmse", "mae", "persistence_rmse", "persistence_mae", "skill", "skill_low", "skill_high"} < set(metrics)
        assert metrics["observations"] == DAYS * TENORS * 2
        assert metrics["horizon/005/persistence_rmse"] == pytest.approx(2.0)
        assert metrics["tenor/10_Yr/observations"] == DAYS * 2
        assert {(name, step) for name, _, step in evaluation.fold_metrics()} >= {("fold/rmse", 1), ("fold/skill", 2)}
