"""How fast texts are encoded."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Rate(NamedTuple):
    """Texts per second, and texts per second of processor time: the latter holds on a machine that does other work."""

    second: float
    processor_second: float


def medians(rates: Sequence[Rate]) -> dict[str, float | list[float]]:
    """Return the medians over the rounds, and the rate of each round."""
    return {
        "texts_per_second": round(statistics.median(rate.second for rate in rates), 1),
        "texts_per_processor_second": round(statistics.median(rate.processor_second for rate in rates), 1),
        "rounds": [round(rate.second, 1) for rate in rates],
    }


def speed_up(rates: Sequence[Rate], others: Sequence[Rate]) -> dict[str, float]:
    """Return the medians of the ratios of each round, by the clock and by processor time."""
    pairs = list(zip(rates, others, strict=True))
    return {
        "clock": round(statistics.median(rate.second / other.second for rate, other in pairs), 2),
        "processor": round(
            statistics.median(rate.processor_second / other.processor_second for rate, other in pairs), 2
        ),
    }


def slice_of(texts: list[str], number: int, size: int) -> list[str]:
    """Return the texts of a round; no text is sent twice before all were."""
    start = (number * size) % len(texts)
    return (texts[start:] + texts[:start])[:size]
