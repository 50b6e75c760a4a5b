import numpy as np
import pytest
from scipy import stats

from analysis.statistics.turning import largest_turn

STEPS = np.arange(8.0)
HILL = 0.02 * STEPS * (7 - STEPS)
SLOPE = 0.05 * STEPS


def curves(shape: np.ndarray, *, noise: float = 0.01, seeds: int = 5) -> list[list[float]]:
    rng = np.random.default_rng(3)
    return [list(shape + rng.normal(scale=noise, size=len(shape))) for _ in range(seeds)]


def test_a_hill_is_a_peak_between_its_slopes_and_a_valley_its_mirror_image() -> None:
    peak = largest_turn(curves(HILL))
    dip = largest_turn([[-v for v in curve] for curve in curves(HILL)])
    assert peak is not None
    assert dip is not None
    assert peak.is_peak
    assert not dip.is_peak
    assert peak.p < 0.001
    assert peak.before > 0 > peak.after
    assert (dip.before, dip.after) == pytest.approx((-peak.before, -peak.after))
    assert dip.before_interval.low == pytest.approx(-peak.before_interval.high)
    assert 4 <= peak.position <= 5  # megabatches from 1
    assert peak.p == pytest.approx(dip.p)


def test_the_numbers_are_those_of_the_worked_example() -> None:
    # All three seeds turn at step 2; changes before 1, 2, 3 and after 2, 2, 5.
    turn = largest_turn([[0, 1, -1], [0, 2, 0], [0, 3, -2]])
    assert turn is not None
    assert (turn.before, turn.after) == pytest.approx((2.0, -3.0))
    before = stats.ttest_1samp([1, 2, 3], 0, alternative="greater").pvalue
    after = stats.ttest_1samp([2, 2, 5], 0, alternative="greater").pvalue
    assert turn.p == pytest.approx(2 * max(before, after))
    assert (turn.position, turn.num_turns) == (2.0, 1.0)
    assert turn.by_chance == pytest.approx(2 / 3)


def test_a_slope_has_no_turn_however_many_seeds_saw_it() -> None:
    turn = largest_turn(curves(SLOPE, seeds=30))
    assert turn is not None
    assert turn.p > 0.2


def test_a_seeds_own_noise_does_not_choose_where_it_is_measured() -> None:
    """Flat curves with a spike each, all elsewhere: no seed confirms another's."""
    spiky = [[float(k == place) for k in range(8)] for place in range(1, 7)]
    turn = largest_turn(spiky)
    assert turn is not None
    assert turn.before == 0.0
    assert turn.p == 1.0


def test_level_stretches_are_no_turning_points() -> None:
    turn = largest_turn([[0, 1, 1, 2, 2, 1]] * 3)
    assert turn is not None
    assert turn.num_turns == 1.0


@pytest.mark.parametrize("few", [[], [[0.0, 1.0, 0.0]] * 2, [[0.0, 1.0]] * 5])
def test_two_seeds_or_two_steps_have_no_turn_to_tell(few: list[list[float]]) -> None:
    assert largest_turn(few) is None
