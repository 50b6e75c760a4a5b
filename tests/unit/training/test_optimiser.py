import pytest
import torch
from torch import nn

from study.pruning.mask import Mask
from study.training.optimiser import OptimiserSpec, zero_pruned_momentum_

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


def stepped(model: nn.Module) -> torch.optim.SGD:
    optimiser = PAPER.build(model)
    model(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    return optimiser


def test_pruned_weights_forget_their_momentum_even_if_infinite_and_the_others_keep_it() -> None:
    model = nn.Linear(3, 2)
    optimiser = stepped(model)
    momentum = optimiser.state[model.weight]["momentum_buffer"]
    momentum[0, 0] = float("inf")
    before = momentum.clone()
    kept = torch.tensor([[False, True, True], [True, False, True]])
    zero_pruned_momentum_(optimiser, model, Mask({"weight": kept}))
    assert torch.equal(momentum[kept], before[kept])
    assert torch.all(momentum[~kept] == 0)


def test_momentum_of_a_tied_weight_is_found_by_any_of_its_names() -> None:
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    optimiser = stepped(model)
    zero_pruned_momentum_(
        optimiser, model, Mask({"1.weight": torch.zeros(3, 3, dtype=torch.bool)})
    )
    assert torch.all(optimiser.state[first.weight]["momentum_buffer"] == 0)


def test_a_new_optimiser_has_no_momentum_to_forget() -> None:
    model = nn.Linear(3, 2)
    optimiser = PAPER.build(model)
    zero_pruned_momentum_(optimiser, model, Mask.dense({"weight": model.weight}))
    assert not optimiser.state
