"""Room for bodies."""

import pytest

from mlplatform.errors import Overloaded
from mlplatform.service.body_budget import BodyBudget


def budget() -> BodyBudget:
    return BodyBudget(1000, "test")


class TestTenants:
    def test_one_leaves_room_for_another(self) -> None:
        bodies = budget()
        with bodies.hold("a") as first, bodies.hold("a") as second, bodies.hold("b") as other:
            first.grow(700)
            with pytest.raises(Overloaded):
                second.grow(100)
            other.grow(200)
            assert bodies.used == 900

    def test_one_body_may_be_as_large_as_there_is_room(self) -> None:
        with budget().hold("a") as held:
            held.grow(1000)

    def test_what_is_given_back_may_be_had_again(self) -> None:
        bodies = budget()
        for _ in range(3):
            with bodies.hold("a") as held:
                held.grow(300)
                held.grow(700)
        assert bodies.used == 0
        with bodies.hold("a") as first, bodies.hold("a") as second:
            first.grow(300)
            second.grow(400)
