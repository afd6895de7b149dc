"""When a version left production."""

from datetime import timedelta

from mlplatform.registry.deletion import left_production
from mlplatform.registry.ledger import Action
from mlplatform.registry.stages import Stage
from tests.unit.registry.promotions import START, promotion


class TestLeftProduction:
    def test_when_another_took_its_place(self):
        done = [promotion(Action.PROMOTE, "1"), promotion(Action.PROMOTE, "2", "1", day=3)]
        assert left_production(done, "1") == START + timedelta(days=3)
        assert left_production(done, "2") is None

    def test_when_it_was_rolled_back_or_archived(self):
        done = [promotion(Action.PROMOTE, "1"), promotion(Action.PROMOTE, "2", "1", day=1)]
        back = [*done, promotion(Action.ROLLBACK, "1", "2", day=2)]
        assert left_production(back, "2") == START + timedelta(days=2)
        assert left_production(back, "1") is None
        gone = [*done, promotion(Action.ARCHIVE, "2", stage=Stage.ARCHIVED, day=5)]
        assert left_production(gone, "2") == START + timedelta(days=5)

    def test_the_last_time_counts(self):
        steps = ["1", "2", "1", "2"]
        done = [promotion(Action.PROMOTE, version, day=day) for day, version in enumerate(steps)]
        assert left_production(done, "1") == START + timedelta(days=3)

    def test_staging_is_not_production(self):
        assert left_production([promotion(Action.PROMOTE, "1", stage=Stage.STAGING)], "1") is None
