"""Every criterion × allocation × control on tiny networks: exact, nested, pure, repeatable."""

import copy
import itertools
import pickle
from dataclasses import fields, replace
from typing import Any, get_args

import pytest
import torch
from torch import nn

import study.pruning.criteria
import study.pruning.flow_criteria
import study.pruning.gradient_criteria  # noqa: F401  # all three register on import
from study.pruning.allocation import ALLOCATIONS
from study.pruning.channels.group_scores import GroupScore
from study.pruning.channels.groups import Axes, ChannelGroups
from study.pruning.ledger import check_mask
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import Control, PruningMethod, num_kept, prune
from study.pruning.scoring import CRITERIA, Criterion
from tests.helpers.pruning_networks import NETWORKS, build, context_of
from tests.helpers.untouched import assert_untouched, snapshot


def quick(name: str) -> Criterion:
    """The criterion with two rounds where it takes rounds."""
    cls = CRITERIA.get(name)
    has_rounds = any(field.name == "rounds" for field in fields(cls))
    return cls(rounds=2) if has_rounds else cls()


def used(network: str) -> nn.Module:
    """A network in the middle of training: statistics, gradients, a module in evaluation mode."""
    model = build(network)
    context = context_of(model)
    for images, _ in context.minibatches():
        model(images).sum().backward()
    list(model.modules())[-1].eval()
    return model


def test_the_criteria_of_the_method_are_all_there() -> None:
    assert set(CRITERIA.names()) >= {
        "snip", "grasp", "synflow", "magnitude", "taylor", "fisher", "random",
    }  # fmt: skip


def combinations() -> list[tuple[str, str, Control, str]]:
    """All criteria × allocations × controls on one network, and all criteria on each of them."""
    product = itertools.product(
        CRITERIA.names(), ALLOCATIONS.names(), get_args(Control), ["everything"]
    )
    each = itertools.product(
        CRITERIA.names(), ["global"], ["none"], set(NETWORKS) - {"everything"}
    )
    return sorted([*product, *each])


@pytest.mark.parametrize(("criterion", "allocation", "control", "network"), combinations())
def test_two_events_are_exact_nested_repeatable_and_leave_the_network_as_it_was(
    criterion: str, allocation: str, control: Control, network: str
) -> None:
    method = PruningMethod(quick(criterion), ALLOCATIONS.get(allocation)(), control=control)
    model = used(network)
    mask = Mask.dense(prunable_parameters(model))
    for density in (0.57, 0.13):
        before = snapshot(model)
        context = context_of(model, mask=mask, fresh=network)
        decision = prune(context, method=method, density=density)
        assert_untouched(before, snapshot(model))
        check_mask(decision.mask, previous=mask, density=density)
        assert decision.mask.num_kept == num_kept(density, mask.num_weights)
        assert decision.mask.layer_densities == decision.intended_density
        before_last, mask = mask, decision.mask
        if density == 0.13:
            context = context_of(model, mask=before_last, fresh=network)
            twin = pickle.loads(pickle.dumps(method))
            assert prune(context, method=twin, density=density) == decision
        mask.apply_(model)


@pytest.mark.parametrize("network", list(NETWORKS))
@pytest.mark.parametrize("name", CRITERIA.names())
def test_scores_are_finite_floats_shaped_like_the_weights_for_just_the_masks_layers(
    name: str, network: str
) -> None:
    model = used(network)
    whole = Mask.dense(prunable_parameters(model))
    some = Mask(dict(list(whole.tensors.items())[1:]))
    for mask in (whole, some):
        scores = CRITERIA.get(name)().scores(context_of(model, mask=mask))
        assert list(scores) == list(mask.tensors)
        for layer, score in scores.items():
            assert score.shape == mask.tensors[layer].shape
            assert score.dtype in (torch.float32, torch.float64)
            assert bool(score.isfinite().all())
            assert not score.requires_grad
            assert len(score.unique()) > 1
            assert CRITERIA.get(name).signed or not bool((score < 0).any())


@pytest.mark.parametrize("name", CRITERIA.names())
def test_scores_of_channels_are_finite_for_each_that_is_left_and_a_norm_takes_no_signs(
    name: str,
) -> None:
    criterion = quick(name)
    model = used("mlp")
    # The hidden layers are of 5 channels each.
    groups = ChannelGroups(
        axes={
            "1.weight": Axes(torch.arange(5), None),
            "3.weight": Axes(torch.arange(5, 10), torch.arange(5)),
            "5.weight": Axes(None, torch.arange(5, 10)),
        },
        sets=torch.arange(2).repeat_interleave(5),
        sizes={layer: weight.shape for layer, weight in prunable_parameters(model).items()},
    )
    kept = groups.everything()
    for how in get_args(GroupScore):
        before = snapshot(model)
        if criterion.signed and how == "norm":
            with pytest.raises(ValueError, match=r"^pruning.group_score: norm"):
                criterion.channel_scores(context_of(model), groups=groups, kept=kept, how=how)
            continue
        scores, again = (
            criterion.channel_scores(context_of(model), groups=groups, kept=kept, how=how)
            for _ in range(2)
        )
        assert_untouched(before, snapshot(model))
        assert torch.equal(scores, again)
        assert scores.shape == (10,)
        assert scores.dtype == torch.float64
        assert bool(scores.isfinite().all())
        assert len(scores.unique()) == 10


@pytest.mark.parametrize("name", CRITERIA.names())
def test_scoring_leaves_no_trace_whatever_surrounds_it(name: str) -> None:
    criterion = CRITERIA.get(name)()
    model = used("attention")
    plain = criterion.scores(context_of(model))
    before = snapshot(model)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        torch.rand(3)
        around = criterion.scores(context_of(model))
        assert not torch.is_grad_enabled()
    torch.set_rng_state(before["rng"])
    assert_untouched(before, snapshot(model))
    assert all(torch.equal(plain[layer], score) for layer, score in around.items())


@pytest.mark.parametrize("name", CRITERIA.names())
def test_what_chance_there_is_comes_from_the_contexts_generator(name: str) -> None:
    model = used("attention")  # with dropout
    criterion = CRITERIA.get(name)()
    first, again = (criterion.scores(context_of(model, seed=4)) for _ in range(2))
    assert all(torch.equal(first[layer], score) for layer, score in again.items())


@pytest.mark.parametrize("name", CRITERIA.names())
def test_a_criterion_without_data_asks_for_none(name: str) -> None:
    criterion = CRITERIA.get(name)()
    asked = []
    context = context_of(used("normalised"))

    def minibatches() -> Any:
        asked.append(1)
        return context.minibatches()

    criterion.scores(replace(context, minibatches=minibatches))
    assert bool(asked) == criterion.needs_data


@pytest.mark.parametrize("name", CRITERIA.names())
def test_it_is_a_picklable_value_that_explains_itself(name: str) -> None:
    criterion = CRITERIA.get(name)()
    twin = pickle.loads(pickle.dumps(criterion))
    assert twin == criterion == copy.deepcopy(criterion)
    assert hash(twin) == hash(criterion)
    assert twin.num_rounds == criterion.num_rounds >= 1
    assert type(criterion).__doc__
