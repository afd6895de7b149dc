"""A turn is worth what it begins with, and no longer than a chunk may take."""

import pytest

from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.settings import ServingSettings


def bench(exchange: float = 0.0) -> Bench:
    settings = ServingSettings.model_validate({"batch_turn": "1s", "batch_chunk_timeout": "60s"})
    return Bench(lambda: None, lambda: None, settings, exchange=lambda: exchange)


class TestTurn:
    @pytest.mark.parametrize(("spent", "seconds"), [(0.0, 1.0), (0.2, 1.0), (0.5, 2.0), (3.0, 12.0), (9.0, 20.0)])
    def test_is_worth_what_was_spent_on_its_beginning(self, spent: float, seconds: float) -> None:
        assert bench().turn_seconds(spent) == pytest.approx(seconds)

    @pytest.mark.parametrize(("exchange", "seconds"), [(0.5, 1.0), (5.0, 5.0), (90.0, 20.0)])
    def test_is_as_long_as_it_took_to_load_the_version_in_the_place_of_another(
        self, exchange: float, seconds: float
    ) -> None:
        assert bench(exchange).turn_seconds(0.0) == pytest.approx(seconds)
