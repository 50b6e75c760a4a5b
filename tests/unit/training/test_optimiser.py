import pytest
from torch import nn

from study.training.optimiser import OptimiserSpec

PAPER = OptimiserSpec(lr=0.1, momentum=0.9, weight_decay=1e-4, lr_milestones=(0.4, 0.8))


@pytest.mark.parametrize("steps_per_epoch", [1, 3, 7, 88, 89, 176, 704, 7_813])
def test_the_learning_rate_falls_exactly_at_the_first_step_of_the_papers_epochs_20_and_40(
    steps_per_epoch: int,
) -> None:
    num_steps = 50 * steps_per_epoch
    for epoch, before, after in ((20, 0.1, 0.01), (40, 0.01, 0.001)):
        step = epoch * steps_per_epoch
        assert PAPER.lr_at(step - 1, num_steps=num_steps) == pytest.approx(before)
        assert PAPER.lr_at(step, num_steps=num_steps) == pytest.approx(after)


def test_a_megabatch_begins_with_the_configured_learning_rate_and_may_have_one_step() -> None:
    assert PAPER.lr_at(0, num_steps=1) == 0.1
    assert PAPER.lr_at(0, num_steps=1000) == 0.1


def test_without_milestones_the_learning_rate_stays() -> None:
    flat = OptimiserSpec(lr=0.3, momentum=0.0, weight_decay=0.0)
    assert {flat.lr_at(step, num_steps=10) for step in range(10)} == {0.3}


def test_frozen_parameters_are_left_to_themselves() -> None:
    model = nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    (group,) = PAPER.build(model).param_groups
    assert [id(p) for p in group["params"]] == [id(model.weight)]
    assert (group["momentum"], group["weight_decay"]) == (0.9, 1e-4)
