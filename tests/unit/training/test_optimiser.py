"""The learning rate within a megabatch, and the optimisers of torch's that are offered."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from study.training.learning_rates import Constant, Cosine, Steps
from study.training.optimiser import OptimiserSpec
from study.training.optimisers import AdamW, Sgd

PAPER = OptimiserSpec(lr=0.1, optimiser=Sgd(), schedule=Steps())


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


@pytest.mark.parametrize("schedule", [Steps(lr_milestones=()), Constant()])
def test_without_milestones_the_learning_rate_stays(schedule: Steps) -> None:
    flat = replace(PAPER, lr=0.3, schedule=schedule)
    assert {flat.lr_at(step, num_steps=10) for step in range(10)} == {0.3}


def test_a_cosine_falls_from_the_rate_to_nearly_nothing() -> None:
    spec = replace(PAPER, schedule=Cosine())
    rates = [spec.lr_at(step, num_steps=100) for step in range(100)]
    assert rates[0] == 0.1
    assert rates[50] == pytest.approx(0.05)
    assert 0 < rates[-1] < 0.0001
    assert rates == sorted(rates, reverse=True)


def test_a_warm_up_rises_to_the_rate_and_the_schedule_has_the_steps_that_are_left() -> None:
    spec = replace(PAPER, schedule=Cosine(), warmup=0.2)
    rates = [spec.lr_at(step, num_steps=50) for step in range(50)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) / 11 for step in range(10)])
    assert rates[10] == 0.1
    assert rates[30] == pytest.approx(0.05)
    assert spec.lr_at(0, num_steps=1) == 0.1


def test_frozen_parameters_are_left_to_themselves() -> None:
    model = nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    (group,) = PAPER.build(model).param_groups
    assert [id(p) for p in group["params"]] == [id(model.weight)]
    assert (group["momentum"], group["weight_decay"]) == (0.9, 1e-4)


def test_adamw_decays_weights_and_neither_biases_nor_normalisation() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    weights, others = AdamW(weight_decay=0.3).build(model, lr=0.01).param_groups
    assert [tuple(p.shape) for p in weights["params"]] == [(2, 3)]
    assert weights["weight_decay"] == 0.3
    assert [tuple(p.shape) for p in others["params"]] == [(2,), (2,), (2,)]
    assert others["weight_decay"] == 0.0


def test_adamws_first_step_is_the_rate_along_the_sign_and_the_decay() -> None:
    model = nn.Linear(3, 2, bias=False)
    before = model.weight.detach().clone()
    optimiser = AdamW(weight_decay=0.5).build(model, lr=0.01)
    model(torch.tensor([[1.0, -2.0, 3.0]])).sum().backward()
    optimiser.step()
    wanted = before * (1 - 0.01 * 0.5) - 0.01 * torch.tensor([1.0, -1.0, 1.0])
    torch.testing.assert_close(model.weight.detach(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Sgd(momentum=1.0), "momentum must be"),
        (lambda: Sgd(weight_decay=-1.0), "weight_decay must be"),
        (lambda: Sgd(momentum=0.0, nesterov=True), "nesterov needs momentum"),
        (lambda: AdamW(betas=(0.9, 1.0)), "betas must be"),
        (lambda: AdamW(weight_decay=math.nan), "weight_decay must be"),
        (lambda: Steps(lr_milestones=(0.8, 0.4)), "lr_milestones must rise"),
        (lambda: Steps(lr_milestones=(0.0,)), "lr_milestones must rise"),
        (lambda: Steps(lr_factor=0.0), "lr_factor must be"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_name(made: object, words: str) -> None:
    assert callable(made)
    with pytest.raises(ValueError, match=words):
        made()
