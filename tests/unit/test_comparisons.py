"""How many pairs an exact test takes, before any is run."""

import pytest

from study.comparisons import SIGNIFICANCE, pairs_needed, smallest_p


def test_three_pairs_can_never_be_significant_and_six_can() -> None:
    assert smallest_p(3) == 0.25
    assert [smallest_p(n) < SIGNIFICANCE for n in range(1, 8)] == [False] * 5 + [True] * 2
    assert pairs_needed() == 6


@pytest.mark.parametrize("family", [1, 2, 3, 5, 10, 45])
def test_the_pairs_needed_are_the_fewest_with_which_holm_can_reject(family: int) -> None:
    n = pairs_needed(family)
    assert family * smallest_p(n) < SIGNIFICANCE <= family * smallest_p(n - 1)
