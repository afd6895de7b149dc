"""The kinds of curve: their tenors, their unit, and the scale on which their changes are learned."""

from dataclasses import dataclass

MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class CurveKind:
    """A kind of curve.

    Attributes:
        name: The user's word for it, as in `--curve-type`.
        title: How it is called in a sentence.
        unit: Unit of values and errors.
        axis: Label of the value axis of a plot.
        log: Whether changes are relative: prices and rates of exchange, which must be positive.
        tenors: What the simulator makes.
    """

    name: str
    title: str
    unit: str
    axis: str
    log: bool
    tenors: tuple[str, ...]


YIELD = CurveKind(
    name="yield",
    title="Yield curve",
    unit="percentage points",
    axis="percent",
    log=False,
    # The 1.5-month bill came in 2025 and has no history in the years that are simulated.
    tenors=(
        *("1 Mo", "2 Mo", "3 Mo", "4 Mo", "6 Mo"),
        *("1 Yr", "2 Yr", "3 Yr", "5 Yr", "7 Yr", "10 Yr", "20 Yr", "30 Yr"),
    ),
)
COMMODITY = CurveKind(
    name="commodity",
    title="Futures curve",
    unit="price units",
    axis="price",
    log=True,
    tenors=(*(f"{month} Mo" for month in range(1, 13)), "18 Mo", "24 Mo"),
)
FX = CurveKind(
    name="fx",
    title="FX forward curve",
    unit="quote currency",
    axis="quote currency",
    log=True,
    tenors=("Spot", "1 Mo", "2 Mo", "3 Mo", "6 Mo", "9 Mo", "1 Yr", "2 Yr"),
)
KINDS = {kind.name: kind for kind in (YIELD, COMMODITY, FX)}


def years(tenor: str) -> float:
    """Return the length of a tenor such as `4 Mo`, `10 Yr` or `Spot`, in years.

    Raises:
        ValueError: The tenor is not written like that.
    """
    if tenor == "Spot":
        return 0.0
    number, _, unit = tenor.partition(" ")
    return float(number) / {"Mo": MONTHS_PER_YEAR, "Yr": 1}[unit]
