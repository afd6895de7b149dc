"""How long a chunk took, and how much of that was for loading a version."""

from services.model_serving.batch.scoring.assignment import LOADING, SCORING
from services.model_serving.batch.scoring.watch import Took, Watch


def took(*phases: tuple[float, str], end: float) -> Took:
    """Say what a watch says of a chunk that began at 1 s."""
    now = [1.0]
    watch = Watch(lambda: now[-1])
    for time, phase in phases:
        now.append(time)
        watch.note(phase)
    now.append(end)
    return watch.took()


class TestTook:
    def test_a_version_that_is_there(self) -> None:
        assert took((1.5, SCORING), (2.0, SCORING), end=4.0) == Took(3.0)

    def test_a_version_that_is_loaded(self) -> None:
        assert took((1.5, LOADING), (11.5, SCORING), (12.0, SCORING), end=14.0) == Took(3.0, 10.0)

    def test_a_version_that_cannot_be_loaded(self) -> None:
        assert took((1.5, LOADING), end=14.0) == Took(0.5)
