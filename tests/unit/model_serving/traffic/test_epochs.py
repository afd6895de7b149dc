"""What counts as the same canary, shadow or experiment."""

from services.model_serving.traffic.aborting import running, without
from services.model_serving.traffic.document import TrafficDocument
from services.model_serving.traffic.epochs import next_epochs

ARMS = [{"name": "a", "version": 1}, {"name": "b", "version": 2}]


def document(**parts: object) -> TrafficDocument:
    return TrafficDocument.model_validate(parts)


def after(new: TrafficDocument | None, old: TrafficDocument | None) -> dict[str, int]:
    """Return the epochs of a second revision."""
    return dict(next_epochs(new, old, next_epochs(old, None, {}, 1), 2))


class TestCanary:
    def test_is_the_same_with_another_share_and_another_with_another_version(self) -> None:
        small = document(canary={"version": 2, "percent": 5})
        assert after(document(canary={"version": 2, "percent": 50}), small)["canary"] == 1
        assert after(document(canary={"version": 3, "percent": 5}), small)["canary"] == 2

    def test_begins_anew_after_it_had_no_traffic(self) -> None:
        stopped = without(document(canary={"version": 2, "percent": 5}), "canary")
        assert "canary" not in after(stopped, document(canary={"version": 2, "percent": 5}))
        assert after(document(canary={"version": 2, "percent": 5}), stopped)["canary"] == 2


class TestExperiment:
    def test_is_the_same_with_other_shares_and_another_with_another_version_in_an_arm(self) -> None:
        old = document(experiment={"name": "e", "arms": ARMS})
        assert after(document(experiment={"name": "e", "arms": ARMS, "percent": 10}), old)["experiment"] == 1
        other = [ARMS[0], {"name": "b", "version": 3}]
        assert after(document(experiment={"name": "e", "arms": other}), old)["experiment"] == 2

    def test_with_an_arm_stopped_is_the_same_and_the_control_is_never_stopped_by_the_rule(self) -> None:
        old = document(experiment={"name": "e", "arms": ARMS})
        assert running(old) == ["ab:b"]
        stopped = without(old, "ab:b")
        assert after(stopped, old) == {"primary": 1, "experiment": 1, "ab:a": 1}
        assert running(stopped) == []
        assert without(stopped, "ab:b") is None


class TestCleared:
    def test_has_no_epochs(self) -> None:
        assert after(None, document(canary={"version": 2, "percent": 5})) == {}
