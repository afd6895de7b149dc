"""Seeded simulations of daily curves, each after a published model. Parameters are round, plausible numbers."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from curves import COMMODITY, FX, YIELD, CurveKind, years
from forecaster import Array

FIRST_DAY = "2021-01-04"
DAYS = 1000
DAYS_PER_YEAR = 252
STEP = 1 / DAYS_PER_YEAR

# Loading of curvature peaks at a maturity of 30 months: Diebold and Li's 0.0609 per month, here per year.
NELSON_SIEGEL_DECAY = 0.0609 * 12
FACTOR_START = np.array([3.2, -2.3, -1.5])
FACTOR_MEAN = np.array([4.2, -0.8, -0.6])
FACTOR_REVERSION = np.array([0.3, 0.5, 1.2])
FACTOR_VOLATILITY = np.array([0.85, 1.1, 2.0])
FACTOR_CORRELATION = np.array([[1.0, -0.5, 0.2], [-0.5, 1.0, 0.1], [0.2, 0.1, 1.0]])
YIELD_NOISE = 0.015

PRICE_START = 70.0
PRICE_REVERSION = 1.0
PRICE_VOLATILITY = 0.35
LOG_PRICE_MEAN = float(np.log(75.0))
SEASON_SIZE = 0.05
PRICE_NOISE = 0.001

SPOT_START = 1.12
SPOT_VOLATILITY = 0.08
RATE_START = np.array([0.01, 0.02])
RATE_MEAN = np.array([0.025, 0.035])
RATE_REVERSION = 0.4
RATE_VOLATILITY = 0.008


def simulate(kind: CurveKind, days: int, seed: int) -> pd.DataFrame:
    """Simulate daily curves on consecutive working days.

    Args:
        kind: The kind of curve.
        days: How many.
        seed: The same seed gives the same curves.

    Returns:
        One row per day, indexed by day, oldest first; one column per tenor of the kind, rounded as it is quoted.
    """
    values = SIMULATORS[kind.name](np.random.default_rng(seed), days)
    index = pd.bdate_range(FIRST_DAY, periods=days, name="Date")
    return pd.DataFrame(values, index=index, columns=list(kind.tenors))


def simulate_yields(random: np.random.Generator, days: int) -> Array:
    """Simulate par yields in percent: a dynamic Nelson-Siegel curve whose factors revert to their means.

    The curve and its decay are those of Diebold and Li, "Forecasting the term structure of government bond yields"
    (Journal of Econometrics 130, 2006); each factor follows the Ornstein-Uhlenbeck process of Vasicek, "An equilibrium
    characterization of the term structure" (Journal of Financial Economics 5, 1977), sampled exactly.
    """
    spread = np.linalg.cholesky(FACTOR_CORRELATION)
    shocks = random.standard_normal((days, 3)) @ spread.T
    factors = revert(FACTOR_START, FACTOR_MEAN, FACTOR_REVERSION, FACTOR_VOLATILITY, shocks)
    scaled = NELSON_SIEGEL_DECAY * np.array([years(tenor) for tenor in YIELD.tenors])
    slope = (1 - np.exp(-scaled)) / scaled
    basis = np.stack([np.ones_like(slope), slope, slope - np.exp(-scaled)])
    noise = YIELD_NOISE * random.standard_normal((days, len(scaled)))
    return np.round(factors @ basis + noise, 2)


def simulate_futures(random: np.random.Generator, days: int) -> Array:
    """Simulate futures prices: a log spot price that reverts to its mean, with a season in the month of delivery.

    Model 1 and its futures formula of Schwartz, "The stochastic behavior of commodity prices" (Journal of Finance 52,
    1997), with the market price of risk taken as zero; the season multiplies by the time of delivery, after Sorensen,
    "Modeling seasonality in agricultural commodity futures" (Journal of Futures Markets 22, 2002).
    """
    shocks = random.standard_normal((days, 1))
    mean = LOG_PRICE_MEAN - PRICE_VOLATILITY**2 / (2 * PRICE_REVERSION)
    start = np.array([np.log(PRICE_START)])
    log_spot = revert(start, mean, PRICE_REVERSION, PRICE_VOLATILITY, shocks)
    ahead = np.array([years(tenor) for tenor in COMMODITY.tenors])
    kept = np.exp(-PRICE_REVERSION * ahead)
    risk = PRICE_VOLATILITY**2 / (4 * PRICE_REVERSION) * (1 - kept**2)
    delivery = np.arange(days)[:, None] * STEP + ahead
    season = SEASON_SIZE * np.cos(2 * np.pi * delivery)
    noise = PRICE_NOISE * random.standard_normal((days, len(ahead)))
    return np.round(np.exp(log_spot * kept + (1 - kept) * mean + risk + season + noise), 2)


def simulate_forwards(random: np.random.Generator, days: int) -> Array:
    """Simulate forward rates of exchange: a spot rate that walks at random, and covered interest parity.

    Meese and Rogoff, "Empirical exchange rate models of the seventies" (Journal of International Economics 14, 1983),
    found no model that forecasts spot better than a random walk. The forward is spot x exp((quote rate - base rate) x
    years), as in Hull, "Options, Futures, and Other Derivatives", on currencies; both rates revert after Vasicek.
    """
    steps = SPOT_VOLATILITY * np.sqrt(STEP) * random.standard_normal((days, 1))
    steps[0] = 0
    spot = SPOT_START * np.exp(np.cumsum(steps - SPOT_VOLATILITY**2 * STEP / 2, axis=0))
    rates = revert(RATE_START, RATE_MEAN, RATE_REVERSION, RATE_VOLATILITY, random.standard_normal((days, 2)))
    ahead = np.array([years(tenor) for tenor in FX.tenors])
    return np.round(spot * np.exp((rates[:, 1:] - rates[:, :1]) * ahead), 5)


def revert(
    start: Array, mean: Array | float, reversion: Array | float, volatility: Array | float, shocks: Array
) -> Array:
    """Sample an Ornstein-Uhlenbeck process day by day with its exact transition.

    Args:
        start: (K,) values on the first day.
        mean: Where it reverts to.
        reversion: Speed per year.
        volatility: Per square root of a year.
        shocks: (days, K) standard normal draws; the first row is not used.

    Returns:
        (days, K).
    """
    kept = np.exp(-np.asarray(reversion) * STEP)
    spread = volatility * np.sqrt((1 - kept**2) / (2 * np.asarray(reversion)))
    path = np.empty(shocks.shape)
    path[0] = start
    for day in range(1, len(shocks)):
        path[day] = mean + (path[day - 1] - mean) * kept + spread * shocks[day]
    return path


SIMULATORS: Mapping[str, Callable[[np.random.Generator, int], Array]] = {
    "yield": simulate_yields,
    "commodity": simulate_futures,
    "fx": simulate_forwards,
}
