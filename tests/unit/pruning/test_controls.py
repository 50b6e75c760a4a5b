from dataclasses import replace

import pytest
import torch
from torch import nn

from study.pruning.allocation import Global, Lamp, Uniform
from study.pruning.criteria import Magnitude, Random
from study.pruning.gradient_criteria import Snip
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import PruningMethod, num_kept, prune
from tests.helpers.pruning_networks import NETWORKS, build, context_of


def test_shuffling_keeps_the_counts_of_each_layer_and_draws_among_its_survivors() -> None:
    context = context_of(build("depthwise_and_grouped"))
    first = prune(context, method=PruningMethod(Random(), Global()), density=0.6).mask
    plain, shuffled, again, other = (
        prune(
            replace(context, mask=first, generator=torch.Generator().manual_seed(seed)),
            method=PruningMethod(Snip(rounds=3), Global(), control=control),
            density=0.2,
        ).mask
        for control, seed in (
            ("none", 0),
            ("shuffle_within_layers", 0),
            ("shuffle_within_layers", 0),
            ("shuffle_within_layers", 1),
        )
    )
    assert shuffled.kept_counts == plain.kept_counts == other.kept_counts
    assert shuffled.is_nested_in(first)
    assert shuffled == again
    assert shuffled != plain
    assert shuffled != other


def test_a_shuffled_survivor_is_kept_as_often_as_any_other() -> None:
    context = context_of(build("mlp"))
    method = PruningMethod(Magnitude(), Uniform(), control="shuffle_within_layers")
    kept = sum(
        prune(
            replace(context, generator=torch.Generator().manual_seed(seed)),
            method=method,
            density=0.5,
        )
        .mask.tensors["5.weight"]
        .double()
        for seed in range(400)
    )
    # Binomial(400, 1/2) has a standard deviation of 10.
    assert float((kept - 200).abs().max()) < 45


def test_reinitialised_scores_are_those_of_a_new_network_under_the_mask() -> None:
    context = context_of(build("mlp"), fresh="mlp")
    first = prune(context, method=PruningMethod(Magnitude(), Uniform()), density=0.7).mask
    made: list[nn.Module] = []

    def fresh() -> nn.Module:
        made.append(NETWORKS["mlp"]())
        return made[-1]

    method = PruningMethod(Magnitude(), Uniform(), control="reinitialised_scores")
    rng = torch.get_rng_state()
    mask = prune(replace(context, mask=first, fresh_model=fresh), method=method, density=0.3).mask
    assert torch.equal(torch.get_rng_state(), rng)
    assert len(made) == 1
    plain = PruningMethod(Magnitude(), Uniform())
    assert (
        mask == prune(replace(context, mask=first, model=made[0]), method=plain, density=0.3).mask
    )
    assert mask != prune(replace(context, mask=first), method=plain, density=0.3).mask
    for name, weight in prunable_parameters(made[0]).items():
        assert not bool(weight[~first.tensors[name]].any())


def test_lamp_counts_come_from_the_network_itself_under_reinitialised_scores() -> None:
    model = build("mlp")
    with torch.no_grad():
        model[1].weight.mul_(torch.logspace(-4, 0, 108))
    context = context_of(model, fresh="mlp")
    counts = [
        prune(
            context, method=PruningMethod(Magnitude(), Lamp(), control=control), density=0.3
        ).mask.kept_counts
        for control in ("none", "reinitialised_scores")
    ]
    assert counts[0] == counts[1]


def test_reference_compat_ranks_all_weights_by_fresh_scores_and_intersects_the_masks() -> None:
    context = context_of(build("normalised"), fresh="normalised")
    compat = PruningMethod(Magnitude(), Global(), reference_compat=True)
    plain = PruningMethod(Magnitude(), Global())
    first = prune(context, method=compat, density=0.8).mask
    assert first == prune(context, method=plain, density=0.8).mask, "the first event is as usual"
    made: list[nn.Module] = []

    def fresh() -> nn.Module:
        made.append(NETWORKS["normalised"]())
        return made[-1]

    second = prune(replace(context, mask=first, fresh_model=fresh), method=compat, density=0.6)
    ranked = prune(context_of(made[0]), method=plain, density=0.6).mask
    assert second.mask == (ranked & first)
    assert second.intended_density == ranked.layer_densities
    assert second.mask.num_kept < num_kept(0.6, first.num_weights)


def test_reference_compat_collapses_app_and_leaves_one_shot_alone() -> None:
    context = context_of(build("normalised"), fresh="normalised")
    method = PruningMethod(Snip(), Global(), reference_compat=True)
    mask = context.mask
    for x in torch.linspace(1, 4.5, 8).tolist():
        mask = prune(replace(context, mask=mask), method=method, density=0.8**x).mask
    assert mask.density < 0.15
    mask = context.mask
    for _ in range(8):
        mask = prune(replace(context, mask=mask), method=method, density=0.366).mask
    assert mask.num_kept == num_kept(0.366, mask.num_weights)


def test_fresh_scores_without_a_way_to_make_a_fresh_network_are_refused() -> None:
    method = PruningMethod(Magnitude(), Global(), control="reinitialised_scores")
    with pytest.raises(ValueError, match="no fresh_model"):
        prune(context_of(build("mlp")), method=method, density=0.5)


def test_an_unknown_control_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^control must be one of none, shuffle"):
        PruningMethod(Magnitude(), Global(), control="shuffled")
