"""Where the registry differs from the ledger."""

from mlplatform.registry.drift.incident import EVERY_ALIAS, Drift, DriftKind, find_drift

RECORDED = {"production": "2", "staging": None, "previous": "1"}


def differences(found, recorded=RECORDED, *, deleted=(), **options) -> list[Drift]:
    return find_drift("m", recorded, found, exists=lambda version: version not in deleted, **options)


class TestFindDrift:
    def test_all_is_as_recorded(self):
        assert differences({"production": "2", "previous": "1", "champion": "9"}) == []

    def test_an_alias_was_moved_or_taken_away(self):
        found = differences({"production": "3", "staging": "3"})
        assert [(drift.alias, drift.kind, drift.recorded, drift.found) for drift in found] == [
            ("production", DriftKind.MOVED, "2", "3"),
            ("staging", DriftKind.MOVED, None, "3"),
            ("previous", DriftKind.MOVED, "1", None),
        ]
        assert found[0].message.startswith("@production points to 3, the ledger has 2: it was moved past the platform")

    def test_a_version_was_deleted(self):
        (drift,) = differences({"previous": "1"}, deleted=["2"])
        assert (drift.alias, drift.kind) == ("production", DriftKind.DELETED)

    def test_a_model_was_deleted(self):
        (drift,) = differences(None)
        assert (drift.alias, drift.kind) == (EVERY_ALIAS, DriftKind.UNREGISTERED)
        assert "verify --repair" in drift.message
        assert differences(None, {"production": None, "staging": None, "previous": None}) == []

    def test_a_model_that_was_never_promoted_through_the_gates(self):
        nothing = dict.fromkeys(RECORDED)
        (drift,) = differences({"production": "1", "previous": "1"}, nothing, is_known=False)
        assert (drift.alias, drift.kind, drift.found) == ("production", DriftKind.UNRECORDED, "1")
