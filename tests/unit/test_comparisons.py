"""Which sides may be compared, and how many pairs an exact test takes."""

import math

import pytest

from study.comparisons import (
    SIGNIFICANCE,
    Side,
    Spent,
    dense_beside,
    equal_in,
    pairs_needed,
    smallest_p,
    weights_asked,
)


def test_three_pairs_can_never_be_significant_and_six_can() -> None:
    assert smallest_p(3) == 0.25
    assert [smallest_p(n) < SIGNIFICANCE for n in range(1, 8)] == [False] * 5 + [True] * 2
    assert pairs_needed() == 6


@pytest.mark.parametrize("family", [1, 2, 3, 5, 10, 45])
def test_the_pairs_needed_are_the_fewest_with_which_holm_can_reject(family: int) -> None:
    n = pairs_needed(family)
    assert family * smallest_p(n) < SIGNIFICANCE <= family * smallest_p(n - 1)


def test_budgets_are_equal_in_examples_or_in_flops_and_never_in_what_is_not_known() -> None:
    one = Spent(1000, 1e9)
    assert equal_in(one, Spent(1009, 2e9)) == {"examples"}
    assert equal_in(one, Spent(2000, 1.009e9)) == {"FLOPs"}
    assert equal_in(one, one) == {"examples", "FLOPs"}
    assert not equal_in(one, Spent(1011, 1.011e9))
    assert equal_in(Spent(1000, math.nan), Spent(1000, math.nan)) == {"examples"}


def test_scoring_is_part_of_a_budget_and_comes_on_top_of_epochs() -> None:
    metrics = {"samples_seen": 1200.0, "samples_scored": 200.0, "train_flops": 12e6}
    assert Spent.of(metrics, is_by_epochs=False) == Spent(1200, 12e6)
    assert Spent.of(metrics, is_by_epochs=True) == Spent(1000, 10e6)


def test_beside_a_trial_stands_dense_of_its_task_and_budget_and_rather_of_its_seed() -> None:
    trial = Side("app", "task", "1", Spent(1000, 1e9))
    dense = [
        Side("other task", "other", "1", Spent(1000, 1e9)),
        Side("twice as long", "task", "1", Spent(2000, 2e9)),
        Side("other seed", "task", "0", Spent(1000, 1e9)),
        Side("equal FLOPs", "task", "1", Spent(700, 1e9)),
    ]
    assert dense_beside(trial, dense) is dense[3]
    assert dense_beside(trial, dense[:3]) is dense[2]
    assert dense_beside(trial, dense[:2]) is None


def test_density_is_what_was_asked_for_and_else_what_there_is() -> None:
    assert weights_asked(0.1, 0.104, 1000) == 100
    assert weights_asked(math.nan, 0.104, 1000) == 104
