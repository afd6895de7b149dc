"""Probabilities that mean what they say."""

import numpy as np
import pytest

from mlplatform.training.calibration import fit_temperature, probabilities, reliability


@pytest.fixture
def overconfident():
    """Logits three times as large as what the classes were drawn from."""
    chance = np.random.default_rng(1)
    logits = chance.normal(size=(4000, 3))
    likely = probabilities(logits, 1.0)
    targets = np.array([chance.choice(3, p=row) for row in likely])
    return 3 * logits, targets


class TestFitTemperature:
    def test_finds_how_much_too_sure_it_is(self, overconfident):
        assert fit_temperature(*overconfident) == pytest.approx(3, abs=0.3)

    def test_three_examples_that_are_right_make_no_certainty(self):
        logits = 10 * np.eye(3)
        shares = probabilities(logits, fit_temperature(logits, np.arange(3)))
        assert shares.max() == pytest.approx(1 - 2 / 3 / 5, abs=0.01)


class TestReliability:
    def test_the_error_falls_with_calibration(self, overconfident):
        logits, targets = overconfident

        def error(temperature):
            shares = probabilities(logits, temperature)
            return reliability(shares.max(axis=1), shares.argmax(axis=1) == targets).error

        assert error(fit_temperature(logits, targets)) < 0.03
        assert error(1.0) > 0.1

    def test_known_numbers(self):
        found = reliability(np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False]))
        assert found.confidence == pytest.approx((0.55, 0.95))
        assert found.accuracy == (0.5, 1.0)
        assert found.count == (2, 2)
        assert found.error == pytest.approx(0.05)
