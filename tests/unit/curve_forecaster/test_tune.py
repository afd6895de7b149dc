"""The search for hyper-parameters."""

import numpy as np
import pytest
from curves import YIELD
from errors import TuningFailed
from folds import split
from learners import Hyper
from simulate import simulate
from tune import search

from mlplatform.training.failures import BadData


@pytest.fixture(scope="module")
def longer():
    return simulate(YIELD, 400, seed=1).to_numpy()


def silent(_):
    return None


class TestSearch:
    def test_defaults_are_tried_first_and_never_beaten_by_the_choice(self, longer, recipe):
        steps = []
        found = search(longer, split(400, 2, 5), recipe("ridge"), 4, steps.append)
        assert found.trials[0].hyper == Hyper()
        assert found.best == min(found.trials, key=lambda trial: trial.rmse).hyper
        assert len({trial.hyper.ridge_alpha for trial in found.trials}) == 4
        assert {trial.hyper.forest_trees for trial in found.trials} == {Hyper().forest_trees}
        assert steps == [f"trial {number} of 4" for number in (1, 2, 3, 4)]

    def test_sees_only_days_before_the_first_fold(self, longer, recipe):
        blocks = split(400, 2, 5)
        changed = longer.copy()
        changed[blocks[1].start + 1 :] = 77.0
        found, again = (search(values, blocks, recipe("ridge"), 3, silent) for values in (longer, changed))
        assert [trial.rmse for trial in found.trials] == [trial.rmse for trial in again.trials]
        changed[blocks[1].start - 1] += 1.0
        assert search(changed, blocks, recipe("ridge"), 1, silent).trials[0].rmse != found.trials[0].rmse

    def test_every_trial_fails(self, longer, recipe):
        blank = longer.copy()
        blank[:, :] = np.nan
        with pytest.raises(TuningFailed, match="all 2 trials failed; the first: BadData: no column has 60"):
            search(blank, split(400, 2, 5), recipe("ridge"), 2, silent)

    def test_too_few_days_before_the_first_fold(self, values, recipe):
        with pytest.raises(BadData, match="121 days before the first fold are too few to tune on; 150 are needed"):
            search(values, split(200, 2, 5), recipe("ridge"), 2, silent)
