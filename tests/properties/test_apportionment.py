import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.pruning.allocation import apportion

QUOTAS = st.one_of(st.integers(0, 10**7).map(float), st.floats(0, 1e9, allow_subnormal=True))


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[float], list[int], int]:
    caps = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=12))
    quotas = draw(st.lists(QUOTAS, min_size=len(caps), max_size=len(caps)))
    return quotas, caps, draw(st.integers(0, sum(caps)))


@settings(deadline=None)
@given(problems())
def test_counts_sum_to_the_total_and_none_is_above_its_cap(
    problem: tuple[list[float], list[int], int],
) -> None:
    quotas, caps, total = problem
    counts = apportion(quotas, caps, total)
    assert sum(counts) == total
    assert all(0 <= count <= cap for count, cap in zip(counts, caps, strict=True))
    assert counts == apportion(quotas, caps, total)


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**4), min_size=1, max_size=10), st.integers(0, 10**5))
def test_where_no_cap_binds_it_is_the_method_of_the_largest_remainder(
    quotas: list[int], total: int
) -> None:
    exact = [Fraction(total * quota, sum(quotas)) for quota in quotas]
    counts = apportion([float(quota) for quota in quotas], [10**6] * len(quotas), total)
    assert all(abs(count - share) < 1 for count, share in zip(counts, exact, strict=True))
    # No unit would be better placed elsewhere: who was rounded up has no smaller remainder
    # than who was rounded down (up to the rounding of floating-point shares).
    up = [s - math.floor(s) for c, s in zip(counts, exact, strict=True) if c > s]
    down = [s - math.floor(s) for c, s in zip(counts, exact, strict=True) if c <= s]
    if up and down:
        assert min(up) >= max(down) - Fraction(1, 10**6)


@settings(deadline=None)
@given(problems())
def test_a_larger_quota_under_the_same_cap_never_gets_less(
    problem: tuple[list[float], list[int], int],
) -> None:
    quotas, caps, _ = problem
    cap = max(caps)
    total = min(sum(caps), cap * len(caps))
    counts = apportion(quotas, [cap] * len(caps), total)
    ranked = sorted(zip(quotas, counts, strict=True))
    for (smaller, less), (larger, more) in pairwise(ranked):
        assert more >= less or smaller == larger or math.isclose(smaller, larger, abs_tol=1e-3)


def test_equal_remainders_go_by_position() -> None:
    assert apportion([1.0, 1.0, 1.0], [9, 9, 9], 4) == [2, 1, 1]
    assert apportion([1.0, 1.0, 1.0], [9, 9, 9], 5) == [2, 2, 1]


def test_what_a_cap_cuts_off_goes_to_the_others_in_proportion_until_none_binds() -> None:
    # 8 : 4 : 2 : 1 of 30 would be 16, 8, 4, 2. The first cap leaves 27 for 4 : 2 : 1, so that
    # the second one binds too (15.4 > 12), and 15 are left for 2 : 1.
    assert apportion([8.0, 4.0, 2.0, 1.0], [3, 12, 50, 50], 30) == [3, 12, 10, 5]


def test_layers_without_a_quota_fill_only_when_the_others_are_full() -> None:
    assert apportion([1.0, 0.0], [5, 5], 4) == [4, 0]
    assert apportion([1.0, 0.0], [5, 5], 7) == [5, 2]
    assert apportion([0.0, 0.0], [6, 3], 3) == [2, 1]


def test_a_uniform_density_is_met_by_each_layer_to_within_one_weight() -> None:
    sizes = [432, 2304, 4608, 640]
    total = math.floor(0.366 * sum(sizes) + 0.5)
    counts = apportion([float(size) for size in sizes], sizes, total)
    assert all(abs(c - 0.366 * size) < 1.01 for c, size in zip(counts, sizes, strict=True))


@pytest.mark.parametrize("quota", [-1.0, math.nan, math.inf])
def test_a_quota_that_is_no_share_is_refused(quota: float) -> None:
    with pytest.raises(ValueError, match="quotas must be finite"):
        apportion([1.0, quota], [3, 3], 2)


@pytest.mark.parametrize("total", [-1, 7])
def test_a_total_out_of_reach_is_refused(total: int) -> None:
    with pytest.raises(ValueError, match="total must be between 0 and 6"):
        apportion([1.0, 1.0], [3, 3], total)
