"""What every registered allocation keeps to, and where each puts the weights."""

import pickle

import pytest
import torch

from study.pruning.allocation import ALLOCATIONS, Allocation, AllocationContext
from study.pruning.channels.groups import Axes, ChannelGroups
from study.pruning.channels.sets import ChannelContext
from study.pruning.mask import Mask

SHAPES = {
    "stem": (16, 3, 3, 3),
    "depthwise": (16, 1, 3, 3),
    "wide": (64, 16, 3, 3),
    "fc": (10, 64),
}


def layers(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


def context_of(density: float, *, previous: Mask | None = None) -> AllocationContext:
    weights = layers()
    previous = previous or Mask.dense(weights)
    total = int(density * previous.num_weights + 0.5)
    scores = {name: weight.abs() for name, weight in layers(seed=1).items()}
    return AllocationContext(scores, previous, total, density, weights)


def counts(name: str, context: AllocationContext) -> dict[str, int]:
    return ALLOCATIONS.get(name)().counts(context)


def test_the_allocations_of_the_method_are_all_there() -> None:
    assert set(ALLOCATIONS.names()) >= {"global", "uniform", "erk", "lamp"}


@pytest.mark.parametrize("name", ALLOCATIONS.names())
@pytest.mark.parametrize("density", [1.0, 0.9, 0.366, 0.05, 0.0005, 0.0])
def test_counts_are_exact_and_within_what_is_left(name: str, density: float) -> None:
    generator = torch.Generator().manual_seed(3)
    survivors = Mask(
        {n: torch.rand(w.shape, generator=generator) < 0.6 for n, w in layers().items()}
    )
    for context in (context_of(density), context_of(0.6 * density, previous=survivors)):
        total = min(context.num_kept, context.previous.num_kept)
        found = counts(name, AllocationContext(**{**vars(context), "num_kept": total}))
        assert list(found) == list(SHAPES)
        assert sum(found.values()) == total
        assert all(found[n] <= context.previous.kept_counts[n] for n in found)


@pytest.mark.parametrize("name", ALLOCATIONS.names())
def test_a_layer_that_was_emptied_stays_empty(name: str) -> None:
    dense = Mask.dense(layers())
    previous = Mask({**dense.tensors, "fc": torch.zeros(10, 64, dtype=torch.bool)})
    found = counts(name, context_of(0.5, previous=previous))
    assert found["fc"] == 0
    assert sum(found.values()) == context_of(0.5).num_kept


@pytest.mark.parametrize("name", ALLOCATIONS.names())
def test_it_is_deterministic_and_changes_nothing_that_it_sees(name: str) -> None:
    context = context_of(0.3)
    before = [t.clone() for t in (*context.scores.values(), *context.weights.values())]
    assert counts(name, context) == counts(name, context)
    after = [*context.scores.values(), *context.weights.values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ALLOCATIONS.names())
def test_it_orders_sets_of_channels_and_changes_nothing_that_it_sees(name: str) -> None:
    groups = ChannelGroups(
        axes={
            "stem": Axes(torch.arange(16), None),
            "depthwise": Axes(torch.arange(16), None),
            "wide": Axes(torch.arange(16, 80), torch.arange(16)),
            "fc": Axes(None, torch.arange(16, 80)),
        },
        sets=torch.tensor([0] * 16 + [1] * 64),
        sizes={layer: torch.Size(shape) for layer, shape in SHAPES.items()},
    )
    scores = torch.rand(80, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    context = ChannelContext(scores, groups.everything(), groups, layers())
    before = [t.clone() for t in (scores, context.kept, *context.weights.values())]
    allocation = ALLOCATIONS.get(name)()
    order = allocation.order_of_sets(context)
    assert allocation.orders_sets
    assert order.shape == scores.shape
    assert order.dtype == torch.float64
    assert bool(order.isfinite().all())
    assert torch.equal(order, allocation.order_of_sets(context))
    after = (scores, context.kept, *context.weights.values())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ALLOCATIONS.names())
def test_it_is_a_picklable_value_that_explains_itself(name: str) -> None:
    allocation: Allocation = ALLOCATIONS.get(name)()
    copy = pickle.loads(pickle.dumps(allocation))
    assert copy == allocation
    assert copy.counts(context_of(0.2)) == allocation.counts(context_of(0.2))
    assert type(allocation).__doc__


@pytest.mark.parametrize("density", [0.8, 0.366, 0.05])
def test_uniform_gives_each_layer_the_density(density: float) -> None:
    context = context_of(density)
    for name, count in counts("uniform", context).items():
        assert abs(count - density * context.previous.sizes[name]) <= 1


def test_erk_is_in_proportion_to_the_sum_of_dimensions_until_a_layer_is_full() -> None:
    context = context_of(0.02)
    found = counts("erk", context)
    dims = {name: sum(shape) for name, shape in SHAPES.items()}
    scale = context.num_kept / sum(dims.values())
    assert all(abs(found[name] - scale * dims[name]) < 1 for name in found)
    full = counts("erk", context_of(0.366))
    assert full["depthwise"] == 16 * 9
    left = context_of(0.366).num_kept - sum(
        full[n] for n in full if full[n] == context.previous.sizes[n]
    )
    rest = [name for name in full if full[name] < context.previous.sizes[name]]
    scale = left / sum(dims[name] for name in rest)
    assert all(abs(full[name] - scale * dims[name]) < 1 for name in rest)


def test_global_counts_are_those_of_one_ranking() -> None:
    context = context_of(0.3)
    everything = torch.cat([score.flatten() for score in context.scores.values()])
    threshold = everything.sort(descending=True).values[context.num_kept - 1]
    assert counts("global", context) == {
        name: int((score >= threshold).sum()) for name, score in context.scores.items()
    }


def test_lamp_counts_are_those_of_the_papers_scores_computed_one_weight_at_a_time() -> None:
    generator = torch.Generator().manual_seed(3)
    previous = Mask(
        {n: torch.rand(w.shape, generator=generator) < 0.4 for n, w in layers().items()}
    )
    context = context_of(0.1, previous=previous)
    ranked = []
    for name, weight in context.weights.items():
        squares = sorted((float(w) ** 2 for w in weight[previous.tensors[name]]), reverse=True)
        total = 0.0
        for square in squares:
            total += square
            ranked.append((square / total, name))
    ranked.sort(reverse=True)
    kept = [name for _, name in ranked[: context.num_kept]]
    assert counts("lamp", context) == {name: kept.count(name) for name in SHAPES}


def test_lamp_does_not_depend_on_the_scale_of_a_layer_and_leaves_each_some_weight() -> None:
    context = context_of(0.01)
    scaled = {**context.weights, "fc": context.weights["fc"] * 1e-3}
    other = AllocationContext(**{**vars(context), "weights": scaled})
    assert counts("lamp", context) == counts("lamp", other)
    assert min(counts("lamp", context).values()) >= 1


def test_lamp_takes_a_layer_of_zeros() -> None:
    context = context_of(0.5)
    zeros = {**context.weights, "fc": torch.zeros(10, 64)}
    found = counts("lamp", AllocationContext(**{**vars(context), "weights": zeros}))
    assert found["fc"] == 0
    assert sum(found.values()) == context.num_kept
