"""What so many examples can decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.decidable import decidable_difference, examples_needed
from analysis.statistics.losses import Losses
from analysis.statistics.verdicts import judge


@given(examples=st.integers(20, 5000), variance=st.floats(0, 0.2))
def test_more_examples_decide_smaller_differences(examples: int, variance: float) -> None:
    fewer = decidable_difference(examples, variance=variance)
    assert decidable_difference(2 * examples, variance=variance) < fewer


@pytest.mark.parametrize("examples", [100, 271, 1000])
def test_what_agrees_everywhere_is_as_good_from_the_difference_that_can_be_decided(
    examples: int,
) -> None:
    margin = decidable_difference(examples, variance=0.0)
    losses = Losses(zeros := np.zeros((100, examples)), zeros)
    assert judge(losses, losses, margin=margin * 1.001).verdict == "as_good"
    assert judge(losses, losses, margin=margin * 0.98).verdict == "undecided"


def test_networks_that_agree_everywhere_need_271_examples_for_a_point() -> None:
    assert examples_needed(0.0) == 271  # 1.645² / 0.01, rounded up
    network = Losses(zeros := np.zeros(100), zeros)
    assert judge(network, network).examples_needed() == 271


def test_a_hundred_and_sixty_five_examples_decide_nothing_below_three_points() -> None:
    # Two single networks that differ on 5 % of the examples.
    assert decidable_difference(165, variance=0.05) == pytest.approx(0.03, abs=0.001)
