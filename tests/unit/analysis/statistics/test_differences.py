"""Estimate, interval and p speak of one thing, and no configuration is trimmed away."""

import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.differences import MethodDifference, example_variance
from analysis.statistics.multiple import judge_differences


def _verdict(difference: MethodDifference) -> str:
    """By itself, without a margin."""
    return judge_differences([difference], [0.0])[0][0].verdict


def _exact_p(strata: list[list[float]]) -> float:
    """Two-sided, over all signs of the pairs, of the mean of the configurations' means."""
    sizes = [len(stratum) for stratum in strata]
    values = np.concatenate(strata)
    weights = np.concatenate([np.full(n, 1 / n / len(sizes)) for n in sizes])
    seen = weights @ values
    flipped = [
        (np.array(signs) * values) @ weights
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    above = np.mean(np.array(flipped) >= abs(seen) - 1e-12)
    return min(1.0, 2 * float(above))


def test_the_estimate_is_the_mean_over_configurations_whatever_their_seeds() -> None:
    difference = MethodDifference(((1.0, 3.0), (5.0,)))
    assert difference.estimate == 3.5
    assert difference.means == (2.0, 5.0)


def test_p_is_that_of_all_flips_of_sign() -> None:
    strata = [[0.3, -0.1, 0.4], [0.2, 0.6], [0.9, 0.1, -0.2]]
    made = MethodDifference(tuple(tuple(s) for s in strata))
    assert made.p == pytest.approx(_exact_p(strata), abs=2 / 2**8)


def test_p_at_a_value_is_p_of_the_differences_less_that_value() -> None:
    strata = ((0.3, -0.1, 0.4), (0.2, 0.6))
    moved = tuple(tuple(v - 0.25 for v in stratum) for stratum in strata)
    for variance in (0.0, 0.01):
        p = MethodDifference(strata, variance).p_at(0.25)
        assert p == pytest.approx(MethodDifference(moved, variance).p)


def test_the_share_of_pairs_in_which_a_is_lower_counts_ties_by_half() -> None:
    assert MethodDifference(((-1.0, -2.0, 0.0), (3.0, -1.0))).share_lower == pytest.approx(0.7)


def test_six_pairs_that_agree_have_the_smallest_p() -> None:
    assert MethodDifference(((0.1, 0.2, 0.3, 0.4, 0.5, 0.6),)).p == pytest.approx(2 / 2**6)


def test_p_and_interval_agree() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        strata = tuple(tuple(rng.normal(0.5, 1, 4)) for _ in range(3))
        difference = MethodDifference(strata)
        interval = difference.interval()
        assert interval is not None
        assert (0.0 in interval) == (difference.p > 0.05)


def test_the_interval_holds_the_mean_of_configurations_of_which_one_is_far_out() -> None:
    # Nine configurations, one at −5.95: the mean is −0.45, a trimmed mean said +0.17.
    levels = np.array([-5.95, *np.full(8, (9 * -0.45 + 5.95) / 8)])
    rng = np.random.default_rng(0)
    held = 0
    findings: list[str] = []
    for _ in range(100):
        strata = tuple(tuple(level + rng.normal(0, 0.3, 3)) for level in levels)
        difference = MethodDifference(strata)
        interval = difference.interval()
        assert difference.estimate == pytest.approx(-0.45, abs=0.3)
        held += interval is not None and -0.45 in interval
        findings.append(_verdict(difference))
    assert held >= 93
    assert findings.count("not_pooled") > 75
    assert "worse" not in findings


def test_two_pairs_alike_decide_nothing() -> None:
    difference = MethodDifference(((-1 / 360, -1 / 360),))
    assert difference.interval() is None
    assert difference.p == 0.5
    assert _verdict(difference) == "undecided"


def test_pairs_that_do_not_vary_bound_nothing_however_many() -> None:
    difference = MethodDifference((tuple([-1 / 360] * 12),))
    assert difference.interval() is None
    assert _verdict(difference) == "undecided"


def test_to_exchange_the_methods_mirrors_all() -> None:
    strata = ((0.3, -0.1, 0.4, 0.2), (0.2, 0.6, 0.5, 0.9))
    one = MethodDifference(strata)
    other = MethodDifference(tuple(tuple(-v for v in s) for s in strata))
    mine, theirs = one.interval(), other.interval()
    assert mine is not None
    assert theirs is not None
    assert (mine.low, mine.high) == pytest.approx((-theirs.high, -theirs.low))
    assert one.p == other.p


def test_no_difference_is_found_in_at_most_five_percent() -> None:
    rng = np.random.default_rng(0)
    found = sum(
        _verdict(MethodDifference(tuple(tuple(rng.normal(0, 1, 4)) for _ in range(3))))
        != "undecided"
        for _ in range(200)
    )
    # At most 5 % by the test, and at most 5 % that seem to differ in sign.
    assert found <= 28


def test_configurations_that_differ_alike_do_not_interact() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(100):
        strata = tuple(tuple(rng.normal(0.5, 1, 4)) for _ in range(3))
        p = MethodDifference(strata).interaction_p
        assert p is not None
        found.append(p < 0.05)
    assert sum(found) <= 11


def test_configurations_that_differ_in_size_alone_are_pooled() -> None:
    rng = np.random.default_rng(0)
    levels = (0.05, 1.0, 3.0)
    strata = tuple(tuple(level + rng.normal(0, 0.1, 4)) for level in levels)
    difference = MethodDifference(strata)
    assert difference.interaction_p is not None
    assert difference.interaction_p < 0.05
    assert not difference.differs_in_sign
    assert _verdict(difference) == "worse"


def test_two_configurations_of_equal_and_opposite_difference_cross() -> None:
    # k = 2: the smaller sum is F with one degree and those within: p = ½ · P(F > Q).
    strata = ((1.0, 1.2, 0.8), (-1.0, -1.2, -0.8))
    within = 4 * 0.2**2 / 4
    expected = 0.5 * stats.f.sf(3 * 1.0 / within, 1, 4)
    assert MethodDifference(strata).crossing_p == pytest.approx(expected)


def test_an_interaction_needs_two_configurations_and_two_pairs_in_one() -> None:
    assert MethodDifference(((1.0, 2.0),)).interaction_p is None
    assert MethodDifference(((1.0,), (2.0,))).interaction_p is None


def test_no_configurations_are_refused() -> None:
    for strata in ((), ((),)):
        with pytest.raises(ValueError, match="a configuration"):
            MethodDifference(strata)


def test_examples_widen_the_interval_and_raise_p() -> None:
    strata = ((0.3, 0.1, 0.4, 0.2), (0.2, 0.6, 0.5, 0.9))
    alone = MethodDifference(strata)
    with_examples = MethodDifference(strata, example_variance=0.04)
    narrow, wide = alone.interval(), with_examples.interval()
    assert narrow is not None
    assert wide is not None
    assert wide.low < narrow.low < narrow.high < wide.high
    assert with_examples.p > alone.p
    assert with_examples.estimate == alone.estimate


def test_what_examples_add_is_told_from_the_noise_of_pairs() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.2, 5000)
    strata = [shared + rng.normal(0, 1, (4, 5000)) for _ in range(3)]
    assert example_variance(strata) == pytest.approx(0.2**2 / 5000, rel=0.2)


def test_on_few_shared_examples_no_difference_is_found_in_at_most_five_percent() -> None:
    # The methods err on different examples: pairs agree on a difference that others do not show.
    rng = np.random.default_rng(0)
    found = ignored = 0
    for _ in range(200):
        shared = rng.normal(0, 0.2, 200)
        strata = [shared + rng.normal(0, 0.3, (4, 200)) for _ in range(3)]
        means = tuple(tuple(stratum.mean(axis=1)) for stratum in strata)
        whole = MethodDifference(means, example_variance=example_variance(strata))
        found += whole.p < 0.05
        ignored += MethodDifference(means).p < 0.05
    assert found <= 16
    assert ignored > 40
