import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from study.errors import TrialError
from study.pruning.allocation import Global
from study.pruning.criteria import Magnitude, Random
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import PruningMethod, prune
from study.pruning.regrow import regrow
from study.pruning.scoring import ScoringContext
from tests.helpers.pruning_networks import build, context_of


def pruned(density: float) -> tuple[ScoringContext, Mask]:
    context = context_of(build("depthwise_and_grouped"))
    mask = prune(context, method=PruningMethod(Random(), Global()), density=density).mask
    return context, mask


def flat(tensors: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


@pytest.mark.parametrize(("density", "fraction"), [(0.5, 0.3), (0.9, 0.5), (0.2, 1.0), (0.5, 0.0)])
def test_as_many_weights_come_as_go_and_none_that_goes_comes_back(
    density: float, fraction: float
) -> None:
    context, mask = pruned(density)
    grown = regrow(context, mask, fraction=fraction)
    expected = math.floor(min(fraction * mask.num_kept, mask.num_weights - mask.num_kept))
    assert grown.num_kept == mask.num_kept
    assert sum(grown.revived(mask).values()) == expected
    assert sum(mask.revived(grown).values()) == expected


def test_the_smallest_weights_go_and_the_largest_gradients_under_the_mask_come() -> None:
    context, mask = pruned(0.5)
    grown = regrow(context, mask, fraction=0.25)
    model = build("depthwise_and_grouped")
    mask.apply_(model)
    for images, labels in context.minibatches():
        cross_entropy(model(images), labels).backward()  # .grad adds up
    weights = list(prunable_parameters(model).values())
    kept = flat(list(mask.tensors.values()))
    now = flat(list(grown.tensors.values()))
    magnitudes, gradients = flat(weights).abs(), flat([w.grad for w in weights]).abs()
    assert float(magnitudes[kept & ~now].max()) <= float(magnitudes[kept & now].min())
    assert float(gradients[~kept & now].min()) >= float(gradients[~kept & ~now].max())


def test_nothing_is_touched_and_the_result_repeats() -> None:
    context, mask = pruned(0.5)
    before = {name: tensor.clone() for name, tensor in context.model.state_dict().items()}
    rng = torch.get_rng_state()
    results = [
        regrow(replace(context, generator=torch.Generator().manual_seed(1)), mask, fraction=0.3)
        for _ in range(2)
    ]
    assert results[0] == results[1]
    assert torch.equal(torch.get_rng_state(), rng)
    assert all(torch.equal(before[n], t) for n, t in context.model.state_dict().items())
    assert all(parameter.grad is None for parameter in context.model.parameters())


def test_a_dense_mask_has_nothing_to_swap() -> None:
    context = context_of(build("mlp"))
    assert regrow(context, context.mask, fraction=0.5) == context.mask


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_what_ranks_nothing_is_told_as_the_divergence_that_it_is(broken: float) -> None:
    context, mask = pruned(0.5)
    minibatches = [(images * broken, labels) for images, labels in context.minibatches()]
    with pytest.raises(TrialError, match=r"not finite; the training has diverged .*optimiser\.lr"):
        regrow(replace(context, minibatches=lambda: minibatches), mask, fraction=0.3)
    weight = next(iter(prunable_parameters(context.model).values()))
    weight.data[next(iter(mask.tensors.values()))] = broken
    with pytest.raises(TrialError, match="the training has diverged"):
        regrow(context, mask, fraction=0.3)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan])
def test_a_fraction_out_of_range_is_refused(fraction: float) -> None:
    context = context_of(build("mlp"))
    mask = prune(context, method=PruningMethod(Magnitude(), Global()), density=0.5).mask
    with pytest.raises(ValueError, match=r"^regrow must be between 0 and 1"):
        regrow(context, mask, fraction=fraction)
