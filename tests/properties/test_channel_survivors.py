"""Laws of the choice of channel groups, over made-up networks."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from study.pruning.allocation import ALLOCATIONS, Allocation
from study.pruning.channels.groups import ChannelGroups
from study.pruning.channels.sets import ChannelContext, sets_of_layer
from study.pruning.channels.survivors import shuffled_within_sets, smallest_density
from study.pruning.prune import num_kept
from tests.helpers.channel_structures import cut, structures, survivors_of, weights_of

LAWS = settings(deadline=None, max_examples=30)
EACH = pytest.mark.parametrize("name", ALLOCATIONS.names())


@st.composite
def scored(draw: st.DrawFn) -> tuple[ChannelGroups, Tensor]:
    """A network and scores of its groups, with many ties or none."""
    groups = draw(structures())
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    num_values = draw(st.sampled_from([1, 3, 10_000]))
    return groups, torch.randint(num_values, (groups.num_groups,), generator=generator) / 7.0


def in_set(groups: ChannelGroups, kept: Tensor) -> list[int]:
    """How many groups of each set are kept."""
    return torch.bincount(groups.sets[kept], minlength=groups.num_sets).tolist()


def one_by_one(
    groups: ChannelGroups, scores: Tensor, kept: Tensor, allocation: Allocation
) -> Iterator[Tensor]:
    """What is left before the first fall and after each: the definition, a group at a time."""
    weights = cut(weights_of(groups), groups, kept)
    order = allocation.order_of_sets(ChannelContext(scores, kept, groups, weights))
    turns = sorted(kept.nonzero().flatten().tolist(), key=lambda g: (float(order[g]), -g))
    left = kept.clone()
    yield left.clone()
    for turn in turns:
        number = groups.sets[turn]
        members = (left & (groups.sets == number)).nonzero().flatten().tolist()
        if len(members) > 1:
            left[min(members, key=lambda g: (float(scores[g]), -g))] = False
            yield left.clone()


@EACH
@LAWS
@given(scored(), st.floats(0, 1.1), st.floats(0, 1))
def test_the_lowest_group_of_the_set_in_turn_falls_until_the_count_is_nearest(
    name: str, network: tuple[ChannelGroups, Tensor], first: float, second: float
) -> None:
    groups, scores = network
    allocation = ALLOCATIONS.get(name)()
    kept = groups.everything()
    total = groups.count(kept)
    for density in (first, second * first):
        wanted = num_kept(density, total)
        states = list(one_by_one(groups, scores, kept, allocation))
        counts = [groups.count(state) for state in states]
        nearest = min(range(len(states)), key=lambda i: (abs(counts[i] - wanted), i))
        found = survivors_of(groups, scores, wanted, allocation, kept=kept)
        assert torch.equal(found, states[nearest])
        kept = found
        scores = scores.flip(0)  # another event, other scores


@EACH
@LAWS
@given(scored(), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_counts_are_within_half_a_group_nested_and_leave_every_set_a_group(
    name: str, network: tuple[ChannelGroups, Tensor], densities: list[float]
) -> None:
    groups, scores = network
    allocation = ALLOCATIONS.get(name)()
    kept = groups.everything()
    total = groups.count(kept)
    smallest = round(smallest_density(groups) * total)
    for density in sorted(densities, reverse=True):
        wanted, before = num_kept(density, total), kept
        kept = survivors_of(groups, scores, wanted, allocation, kept=before)
        count = groups.count(kept)
        assert not bool((kept & ~before).any())
        assert min(in_set(groups, kept)) >= 1
        assert groups.mask(kept).num_kept == count >= smallest
        if groups.count(before) <= wanted:
            assert torch.equal(kept, before), "nothing falls where K is above what is left"
        elif count <= wanted:
            states = one_by_one(groups, scores, before, allocation)
            larger = min(c for c in map(groups.count, states) if c > count)
            assert 2 * (wanted - count) < larger - count, "the larger one stays at a tie"
        elif count > smallest:
            states = one_by_one(groups, scores, before, allocation)
            smaller = max(c for c in map(groups.count, states) if c < count)
            assert 2 * (count - wanted) <= count - smaller


@EACH
@LAWS
@given(scored())
def test_the_kept_groups_of_a_smaller_k_are_among_those_of_a_larger(
    name: str, network: tuple[ChannelGroups, Tensor]
) -> None:
    groups, scores = network
    allocation = ALLOCATIONS.get(name)()
    everything = groups.count(groups.everything())
    kept = groups.everything()
    for wanted in range(everything, -1, -max(1, everything // 8)):
        smaller = survivors_of(groups, scores, wanted, allocation)
        assert not bool((smaller & ~kept).any())
        assert torch.equal(smaller, survivors_of(groups, scores, wanted, allocation))
        kept = smaller
    assert groups.count(kept) >= smallest_density(groups) * everything - 1e-9


@EACH
@LAWS
@given(scored())
def test_the_smallest_density_is_reached_and_is_that_of_a_group_a_set(
    name: str, network: tuple[ChannelGroups, Tensor]
) -> None:
    groups, scores = network
    kept = survivors_of(groups, scores, 0, ALLOCATIONS.get(name)())
    # More falls only where nothing is gained by it: a group whose fall leaves no weight fewer.
    assert groups.count(kept) / groups.count(groups.everything()) == smallest_density(groups)
    one_each = torch.zeros_like(kept)
    one_each[[int((groups.sets == n).nonzero()[0]) for n in range(groups.num_sets)]] = True
    assert groups.count(one_each) == groups.count(kept)


@LAWS
@given(scored(), st.floats(0, 1), st.floats(0, 1))
def test_uniform_leaves_all_sets_the_same_fraction_of_what_they_had_at_first(
    network: tuple[ChannelGroups, Tensor], first: float, second: float
) -> None:
    groups, scores = network
    kept = groups.everything()
    sizes = in_set(groups, kept)
    total = groups.count(kept)
    for density in (first, first * second):
        wanted = num_kept(density, total)
        kept = survivors_of(groups, scores, wanted, ALLOCATIONS.get("uniform")(), kept=kept)
        # All fractions that a set can stand for by rounding; a last group stays at any.
        counts = list(zip(in_set(groups, kept), sizes, strict=True))
        low = [(count - 0.5) / size if count > 1 else 0.0 for count, size in counts]
        high = [(count + 0.5) / size if count < size else 1.0 for count, size in counts]
        assert max(low) <= min(high) + 1e-12


@LAWS
@given(scored(), st.floats(0, 1))
def test_erk_leaves_a_fraction_by_the_sums_over_products_of_the_layers_of_a_set_capped_at_1(
    network: tuple[ChannelGroups, Tensor], density: float
) -> None:
    groups, scores = network
    wanted = num_kept(density, groups.count(groups.everything()))
    kept = in_set(groups, survivors_of(groups, scores, wanted, ALLOCATIONS.get("erk")()))
    low, high = [], []
    for number, size in enumerate(in_set(groups, groups.everything())):
        reached = [s for n, s in groups.sizes.items() if bool(sets_of_layer(groups, n)[number])]
        per_scale = sum(map(sum, reached)) / sum(s.numel() for s in reached)
        low.append((kept[number] - 0.5) / size / per_scale if kept[number] > 1 else 0.0)
        high.append((kept[number] + 0.5) / size / per_scale if kept[number] < size else 1e9)
    assert max(low) <= min(high) * (1 + 1e-12), "one scale explains all sets"


@EACH
@LAWS
@given(scored(), st.floats(0, 1), st.sampled_from([2.0**-40, 0.5, 2.0**30]))
def test_the_scale_of_scores_says_nothing(
    name: str, network: tuple[ChannelGroups, Tensor], density: float, scale: float
) -> None:
    groups, scores = network
    wanted = num_kept(density, groups.count(groups.everything()))
    assert torch.equal(
        survivors_of(groups, scores, wanted, ALLOCATIONS.get(name)()),
        survivors_of(groups, scores * scale, wanted, ALLOCATIONS.get(name)()),
    )


@LAWS
@given(scored(), st.floats(0, 1), st.floats(0, 1), st.integers(0, 9))
def test_shuffling_keeps_the_number_of_each_set_and_draws_among_what_was_left(
    network: tuple[ChannelGroups, Tensor], first: float, second: float, seed: int
) -> None:
    groups, scores = network
    total = groups.count(groups.everything())
    allocation = ALLOCATIONS.get("global")()
    before = survivors_of(groups, scores, num_kept(first, total), allocation)
    wanted = num_kept(first * second, total)
    kept = survivors_of(groups, scores, wanted, allocation, kept=before)
    drawn, again = (
        shuffled_within_sets(
            groups, kept, before=before, generator=torch.Generator().manual_seed(seed)
        )
        for _ in range(2)
    )
    assert torch.equal(drawn, again)
    assert in_set(groups, drawn) == in_set(groups, kept)
    assert not bool((drawn & ~before).any())
    assert groups.count(drawn) == groups.count(kept)
