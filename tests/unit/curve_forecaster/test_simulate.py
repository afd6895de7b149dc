"""The simulators: seeded, and like the markets they stand for."""

import numpy as np
import pytest
from curves import COMMODITY, FX, KINDS, YIELD, years
from simulate import simulate


@pytest.fixture(scope="module")
def yields():
    return simulate(YIELD, 1000, seed=7)


@pytest.fixture(scope="module")
def futures():
    return np.log(simulate(COMMODITY, 1000, seed=7))


@pytest.fixture(scope="module")
def forwards():
    return np.log(simulate(FX, 1000, seed=7))


class TestSimulate:
    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_seed_decides(self, kind):
        first = simulate(kind, 300, seed=7)
        assert first.equals(simulate(kind, 300, seed=7))
        assert not first.equals(simulate(kind, 300, seed=8))

    @pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
    def test_working_days_and_whole_curves(self, kind):
        frame = simulate(kind, 1000, seed=7)
        assert tuple(frame.columns) == kind.tenors
        assert (str(frame.index[0].date()), str(frame.index[-1].date())) == ("2021-01-04", "2024-11-01")
        assert (frame.index.day_of_week < 5).all()
        assert np.isfinite(frame.to_numpy()).all()


class TestYields:
    def test_levels_and_moves_are_those_of_yields(self, yields):
        assert -2 < yields.to_numpy().min() < yields.to_numpy().max() < 12
        moves = yields.diff().std()
        assert moves.between(0.03, 0.15).all()

    def test_few_factors_move_the_whole_curve(self, yields):
        shares = np.linalg.eigvalsh(yields.diff(5).dropna().cov())[::-1]
        assert shares[:3].sum() / shares.sum() > 0.9


class TestFutures:
    def test_near_contracts_move_more(self, futures):
        moves = futures.diff().std()
        assert moves["1 Mo"] > moves["6 Mo"] > moves["12 Mo"] > moves["24 Mo"]
        assert 0.1 < moves["1 Mo"] * np.sqrt(252) < 0.6

    def test_season_returns_after_a_year(self, futures):
        half_year, whole_year = futures["6 Mo"] - futures["12 Mo"], futures["12 Mo"] - futures["24 Mo"]
        season = 2 * np.pi * np.arange(len(futures)) / 252
        swing = [np.hypot(part @ np.cos(season), part @ np.sin(season)) for part in (half_year, whole_year)]
        assert swing[0] > 2 * swing[1]


class TestForwards:
    def test_carry_is_the_same_for_every_tenor(self, forwards):
        carry = [(forwards[tenor] - forwards["Spot"]) / years(tenor) for tenor in ("3 Mo", "1 Yr", "2 Yr")]
        assert np.abs(carry[0] - carry[2]).max() < 1e-4  # quotes are rounded to five decimals
        assert np.abs(carry[1] - carry[2]).max() < 3e-5

    def test_spot_is_a_random_walk(self, forwards):
        moves = forwards["Spot"].diff().dropna()
        assert abs(moves.autocorr(1)) < 0.1
        assert 0.05 < moves.std() * np.sqrt(252) < 0.12
