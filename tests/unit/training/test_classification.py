"""What a classifier is worth."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from mlplatform.training.classification import evaluate

LABELS = ("a", "b", "c")
SHARES = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1]])
TARGETS = np.array([0, 1, 1, 1])


class TestEvaluate:
    def test_agrees_with_scikit_learn(self):
        found = evaluate(LABELS, SHARES, TARGETS)
        predicted = SHARES.argmax(axis=1)
        assert found.accuracy == 0.75
        assert found.macro_f1 == pytest.approx(f1_score(TARGETS, predicted, average="macro"))
        assert found.log_loss == pytest.approx(log_loss(TARGETS, SHARES, labels=[0, 1, 2]))
        assert found.confusion.tolist() == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]

    def test_a_class_without_examples_has_no_figures(self):
        *_, last = evaluate(LABELS, SHARES, TARGETS).classes()
        assert last == {"label": "c", "examples": 0, "precision": None, "recall": None, "f1": None}

    def test_a_certain_mistake_has_a_finite_loss(self):
        found = evaluate(("a", "b"), np.array([[1.0, 0.0]]), np.array([1]))
        assert 20 < found.log_loss < 40
