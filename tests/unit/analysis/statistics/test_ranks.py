import numpy as np
import pytest
from scipy import stats

from analysis.statistics.ranks import concordance_interval, kendalls_w


def test_w_is_that_of_the_worked_example() -> None:
    # By hand: ranks 1234, 1243, 2134; sums 4, 5, 10, 11; S = 12.25+6.25+6.25+12.25 = 37;
    # W = 12·37 / (9·60) = 0.8222.
    scores = [[0.1, 0.2, 0.3, 0.4], [1, 2, 9, 5], [20, 10, 30, 40]]
    assert kendalls_w(scores) == pytest.approx(444 / 540)


@pytest.mark.parametrize("judges", [2, 3, 6])
@pytest.mark.parametrize("values", [4, 1000])  # four values make many ties
def test_w_is_friedmans_statistic_over_its_largest(judges: int, values: int) -> None:
    rng = np.random.default_rng(judges)
    scores = rng.integers(values, size=(judges, 10)).astype(float)
    friedman = stats.friedmanchisquare(*scores.T).statistic
    assert kendalls_w(scores.tolist()) == pytest.approx(friedman / (judges * 9))


def test_of_two_judges_w_is_spearmans_correlation_moved_to_0_and_1() -> None:
    scores = np.random.default_rng(1).normal(size=(2, 12))
    rho = stats.spearmanr(*scores).statistic
    assert kendalls_w(scores.tolist()) == pytest.approx((rho + 1) / 2)


def test_one_order_gives_1_and_opposite_orders_0() -> None:
    assert kendalls_w([[1, 2, 3], [10, 20, 30]]) == 1.0
    assert kendalls_w([[1, 2, 3], [3, 2, 1]]) == 0.0
    assert kendalls_w([[5, 5, 5], [5, 5, 5]]) == 1.0


def test_the_interval_holds_the_estimate_and_needs_things_enough() -> None:
    rng = np.random.default_rng(2)
    quality = rng.normal(size=15)
    scores = [list(quality + rng.normal(scale=0.5, size=15)) for _ in range(3)]
    interval = concordance_interval(scores)
    assert interval is not None
    assert kendalls_w(scores) in interval
    assert interval == concordance_interval(scores)
    assert concordance_interval([row[:7] for row in scores]) is None
    assert concordance_interval([list(range(9)), list(range(9))]) is None
