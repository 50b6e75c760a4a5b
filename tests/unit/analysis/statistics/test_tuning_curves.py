"""Bands of tuning curves hold the truth as often as they say, and part curves that are apart."""

import numpy as np
import pytest

from analysis.statistics.tuning_curves import ahead, most_decidable, tuning_curve

BOUNDS = (0.0, 1.0)


def share_held(num_trials: int, *, level: float, steps: int = 0, studies: int = 1000) -> float:
    """In what share of studies the true median of the best of every n lies within the band.

    Costs are uniform, on ``steps`` values if given.
    """
    rng = np.random.default_rng(1)
    quantiles = 1 - 0.5 ** (1 / np.arange(1, num_trials + 1))
    held = 0
    for _ in range(studies):
        costs = rng.random(num_trials)
        truth = quantiles
        if steps:
            costs, truth = (np.ceil(values * steps) / steps for values in (costs, truth))
        found = tuning_curve(costs.tolist(), bounds=BOUNDS, level=level)
        low, high = np.array(found.low), np.array(found.high)
        held += bool(((low <= truth + 1e-9) & (truth <= high + 1e-9)).all())
    return held / studies


@pytest.mark.parametrize("num_trials", [10, 70])
def test_a_band_holds_the_true_curve_at_every_n_at_once_as_often_as_it_says(
    num_trials: int,
) -> None:
    # A band of all y is asked at the n of the curve alone, so it may hold a little more often.
    assert 0.88 < share_held(num_trials, level=0.1) < 0.99


def test_with_ties_it_holds_no_less_often() -> None:
    assert share_held(10, level=0.1, steps=12) > 0.88


def test_the_curve_is_the_median_of_the_best_of_n() -> None:
    costs = np.linspace(0.01, 0.99, 15).tolist()
    found = tuning_curve(costs, bounds=BOUNDS, level=0.05)
    rng = np.random.default_rng(0)
    for n in (1, 2, 4):
        drawn = np.median(rng.choice(costs, (20_000, n)).min(axis=1))
        assert found.median[n - 1] == pytest.approx(drawn, abs=0.071)  # a step of the costs
    assert list(found.median) == sorted(found.median, reverse=True)
    for low, median, high in zip(found.low, found.median, found.high, strict=True):
        assert low <= median <= high


def test_one_curve_is_ahead_where_the_bands_part_and_bands_of_more_trials_part_further() -> None:
    reach = []
    for num_trials in (20, 40):
        good, bad = (np.linspace(low, low + 0.1, num_trials).tolist() for low in (0.2, 0.6))
        first, second = (tuning_curve(c, bounds=BOUNDS, level=0.05) for c in (good, bad))
        assert ahead(second, first) == ()
        assert ahead(first, first) == ()
        ns = ahead(first, second)
        most = most_decidable(num_trials, level=0.05)
        assert ns == tuple(range(1, most + 1))
        reach.append(most)
    assert reach == [2, 4]


def test_a_handful_of_trials_decides_nothing() -> None:
    assert most_decidable(6, level=0.05) == 0
