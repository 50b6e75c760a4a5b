"""Every figure against one worked out by hand, or another library's."""

import itertools

import numpy as np
import pytest
from analysis.statistics.paired import (
    holm,
    paired_difference,
    pairs_needed,
    signed_rank_p,
    smallest_p,
    standardised,
)
from scipy import stats

from analysis.statistics.resampling import interquartile_mean, stratified_interval
from analysis.statistics.summary import mean_interval


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([3.0], 3.0),
        ([1.0, 2.0, 6.0], 3.0),  # too few to leave one out
        ([0.0, 2.0, 4.0, 100.0], 3.0),
        ([9.0, 1.0, 2.0, 3.0, 7.0], 4.0),  # 2, 3 and 7
        ([float(i) for i in range(8)] + [1000.0], 4.0),
    ],
)
def test_the_interquartile_mean_leaves_a_quarter_out_at_each_end(
    values: list[float], mean: float
) -> None:
    assert interquartile_mean(values) == pytest.approx(mean)
    assert interquartile_mean(values) == pytest.approx(float(stats.trim_mean(values, 0.25)))


def _exact_p(differences: list[float]) -> float:
    """Of all 2ⁿ assignments of signs to the ranks, the share at least as far out."""
    ranks = stats.rankdata(np.abs(differences))
    centre = ranks.sum() / 2
    seen = abs(sum(r for r, d in zip(ranks, differences, strict=True) if d > 0) - centre)
    flips = list(itertools.product((0, 1), repeat=len(differences)))
    far = sum(abs(float(np.dot(flip, ranks)) - centre) >= seen - 1e-9 for flip in flips)
    return far / len(flips)


@pytest.mark.parametrize(
    "differences",
    [
        [1.0, 2.0, 3.0],
        [-0.4, -0.1, 0.2, -0.8, -1.6],
        [0.01, 0.01, -0.01, 0.03, 0.03, 0.02],  # ties
        [-1.0, 2.0, -3.0, 4.0, -5.0, 6.0, 7.0, 8.0, -9.0],
    ],
)
def test_the_signed_rank_test_is_exact_also_with_ties(differences: list[float]) -> None:
    assert signed_rank_p(differences) == pytest.approx(_exact_p(differences))


def test_pairs_that_do_not_differ_say_nothing() -> None:
    assert signed_rank_p([0.0, 0.0, 0.0]) == 1.0
    assert signed_rank_p([0.0, 1.0, 2.0, 3.0]) == signed_rank_p([1.0, 2.0, 3.0])
    # Nor does rounding make a difference of none.
    assert signed_rank_p([0.1 + 0.2 - 0.3]) == 1.0


@pytest.mark.parametrize("n", range(1, 11))
def test_no_test_of_n_pairs_gives_less_than_its_smallest_p(n: int) -> None:
    assert signed_rank_p([float(i) for i in range(1, n + 1)]) == pytest.approx(smallest_p(n))


def test_three_pairs_can_never_be_significant_and_six_can() -> None:
    assert smallest_p(3) == 0.25
    assert [smallest_p(n) < 0.05 for n in range(1, 8)] == [False] * 5 + [True] * 2
    assert pairs_needed() == 6


@pytest.mark.parametrize("family", [1, 2, 3, 5, 10, 45])
def test_the_pairs_needed_are_the_fewest_with_which_holm_can_reject(family: int) -> None:
    n = pairs_needed(family)
    assert family * smallest_p(n) < 0.05 <= family * smallest_p(n - 1)


def test_holms_p_is_that_of_the_worked_example() -> None:
    # By hand: 4 · 0.005 = 0.02, 3 · 0.01 = 0.03, 2 · 0.03 = 0.06, then 0.04 is raised to 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_standardised_difference_is_the_mean_over_the_deviation() -> None:
    # By hand: mean 2, deviations −1, 0, 1, variance 1.
    assert standardised([1.0, 2.0, 3.0]) == pytest.approx(2.0)
    t = stats.ttest_1samp([0.3, -0.1, 0.6, 0.2], 0.0).statistic
    assert standardised([0.3, -0.1, 0.6, 0.2]) == pytest.approx(float(t) / 2)  # t / √n
    assert standardised([1.0]) is None
    assert standardised([1.0, 1.0]) is None


def test_a_paired_difference_counts_pairs_and_ties_by_half() -> None:
    found = paired_difference([[-1.0, -2.0, 0.0], [3.0, -1.0]])
    assert (found.num_pairs, found.num_strata) == (5, 2)
    assert found.lower == pytest.approx(0.7)
    assert found.estimate == pytest.approx(-2 / 3)  # of −1, −1 and 0
    assert found.interval is not None
    assert found.estimate in found.interval


def test_the_interval_of_one_stratum_is_near_students_where_values_are_many() -> None:
    values = np.random.default_rng(0).uniform(size=400).tolist()
    interval = stratified_interval([values])
    middle = sorted(values)[100:300]
    assert interval is not None
    assert interquartile_mean(values) == pytest.approx(np.mean(middle))
    # A trimmed mean's variance for a uniform sample: winsorised variance over (1 − 2·¼)²·n.
    theory = 1.96 * float(np.std(np.clip(values, middle[0], middle[-1]))) / 0.5 / 20
    assert (interval.high - interval.low) / 2 == pytest.approx(theory, rel=0.2)


def test_the_interval_is_resampled_within_strata_and_the_same_each_time() -> None:
    close = [[0.0, 0.1, 0.2], [10.0, 10.1, 10.2], [20.0, 20.1, 20.2], [30.0, 30.1, 30.2]]
    within = stratified_interval(close)
    assert within is not None
    assert within.high - within.low < 1
    pooled = stratified_interval([[value for stratum in close for value in stratum]])
    assert pooled is not None
    assert pooled.high - pooled.low > 5
    assert within == stratified_interval(close)


def test_three_seeds_have_an_interval_about_as_wide_as_students() -> None:
    interval, students = stratified_interval([[1.0, 2.0, 3.0]]), mean_interval([1.0, 2.0, 3.0])
    assert interval is not None
    assert students is not None
    assert interval.high - interval.low == pytest.approx(students.high - students.low, rel=0.35)


def test_strata_of_one_value_are_taken_together_and_a_lone_one_joins_another() -> None:
    assert stratified_interval([[1.0]]) is None
    assert stratified_interval([]) is None
    assert stratified_interval([[1.0], [2.0], [3.0]]) == stratified_interval([[1.0, 2.0, 3.0]])
    assert stratified_interval([[1.0, 2.0], [3.0]]) == stratified_interval([[1.0, 2.0, 3.0]])
    same = stratified_interval([[2.0, 2.0, 2.0]])
    assert same is not None
    assert (same.low, same.high) == (2.0, 2.0)
