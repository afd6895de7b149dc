"""Where versions ought to stand, told from the ledger."""

from mlplatform.registry.ledger import Action
from mlplatform.registry.lineage import Lineage, trace_lineage
from mlplatform.registry.stages import Stage
from tests.unit.registry.promotions import promotion


def promoted(*versions: str) -> Lineage:
    steps = zip((None, *versions), versions, strict=False)
    return trace_lineage(promotion(Action.PROMOTE, version, before) for before, version in steps)


class TestTraceLineage:
    def test_nothing_was_done(self):
        assert trace_lineage([]).aliases == {"production": None, "staging": None, "previous": None}

    def test_a_promotion_leaves_a_step_on_the_way_back(self):
        assert promoted("1", "2").aliases == {"production": "2", "staging": None, "previous": "1"}

    def test_a_rollback_takes_its_step_off(self):
        back = promoted("1", "2", "3").after(promotion(Action.ROLLBACK, "2", "3"))
        assert back.aliases["production"] == "2"
        assert back.aliases["previous"] == "1"

    def test_two_rollbacks_go_two_back(self):
        back = promoted("1", "2", "3").after(promotion(Action.ROLLBACK, "2", "3"))
        back = back.after(promotion(Action.ROLLBACK, "1", "2"))
        assert back.aliases == {"production": "1", "staging": None, "previous": None}

    def test_a_rollback_to_what_the_ledger_has_in_production_keeps_the_way_back(self):
        lineage = promoted("1", "2").after(promotion(Action.ROLLBACK, "2", "7"))
        assert lineage == promoted("1", "2")

    def test_a_version_that_was_put_there_by_hand_is_not_on_the_way_back(self):
        lineage = promoted("1").after(promotion(Action.PROMOTE, "3", "2"))
        assert lineage.way_back == ("1",)

    def test_nor_is_one_that_was_there_before_the_first_promotion(self):
        assert trace_lineage([promotion(Action.PROMOTE, "3", "2")]).way_back == ()

    def test_a_version_whose_alias_was_taken_away_by_hand_is_on_the_way_back(self):
        assert promoted("1").after(promotion(Action.PROMOTE, "2", None)).way_back == ("1",)

    def test_promoting_what_the_ledger_has_in_production_keeps_the_way_back(self):
        assert promoted("1", "2").after(promotion(Action.PROMOTE, "2", "7")) == promoted("1", "2")

    def test_staging_does_not_touch_the_way_back(self):
        lineage = promoted("1", "2").after(promotion(Action.PROMOTE, "3", stage=Stage.STAGING))
        assert lineage.aliases == {"production": "2", "staging": "3", "previous": "1"}

    def test_archiving_production_leaves_the_way_back(self):
        lineage = promoted("1", "2").after(promotion(Action.ARCHIVE, "2", "2", Stage.ARCHIVED))
        assert lineage.aliases == {"production": None, "staging": None, "previous": "1"}

    def test_archiving_takes_a_version_off_the_way_back(self):
        lineage = promoted("1", "2", "3", "2").after(promotion(Action.ARCHIVE, "3", stage=Stage.ARCHIVED))
        assert lineage.way_back == ("1",)

    def test_a_version_in_both_stages_is_in_production(self):
        lineage = promoted("1").after(promotion(Action.PROMOTE, "1", stage=Stage.STAGING))
        assert lineage.stage_of("1") is Stage.PRODUCTION
        assert lineage.stage_of("9") is Stage.ARCHIVED
