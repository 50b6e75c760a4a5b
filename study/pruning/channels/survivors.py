"""Which channel groups stay: the lowest fall, down to the count of weights nearest to K."""

from collections.abc import Mapping

import torch
from torch import Tensor

from study.pruning.allocation import Allocation
from study.pruning.channels.group_scores import ids_left, slices_by_group
from study.pruning.channels.groups import ChannelGroups
from study.pruning.channels.sets import ChannelContext


def surviving(
    groups: ChannelGroups,
    kept: Tensor,
    scores: Tensor,
    *,
    num_kept: int,
    allocation: Allocation,
    weights: Mapping[str, Tensor],
) -> Tensor:
    """The groups of ``kept`` that stay, bool ``[num_groups]``.

    The allocation says in which order sets lose a group, the scores which group of a set that is;
    the last group of a set never falls. Along this order the number of weights left is counted
    anew after each fall, and groups fall until it is nearest to ``num_kept``: it misses that by at
    most half of what the fall at the crossing removes, unless every set is at its last group. Of
    two counts equally near the larger one stays. Nothing falls where no more than ``num_kept``
    weights are left.

    Args:
        groups: Of the original network.
        kept: bool ``[num_groups]``: the groups that are left.
        scores: fp64 ``[num_groups]``, finite, higher is kept; equal scores go by position.
        num_kept: K, prunable weights to keep.
        allocation: The order of the sets.
        weights: The network's, by prunable layer, in the shapes that it has now.

    Raises:
        ValueError: The allocation knows no order of sets.
    """
    context = ChannelContext(scores, kept, groups, weights)
    falls = _falls(context, allocation.order_of_sets(context))
    misses = (_counts(groups, kept, falls) - num_kept).abs()
    # The first of equals: the larger network.
    num_falls = int(misses.argmin())
    left = kept.clone()
    left[falls[:num_falls]] = False
    return left


def shuffled_within_sets(
    groups: ChannelGroups, kept: Tensor, *, before: Tensor, generator: torch.Generator
) -> Tensor:
    """As many groups of each set as ``kept`` has, drawn from those of ``before``.

    The control ``shuffle_within_layers``: groups of a set are interchangeable, so the number of
    weights stays.
    """
    shuffled = torch.zeros_like(kept)
    for number in range(groups.num_sets):
        members = (before & (groups.sets == number)).nonzero().flatten()
        order = torch.randperm(len(members), generator=generator)
        shuffled[members] = kept[members[order]]
    return shuffled


def smallest_density(groups: ChannelGroups) -> float:
    """Kept / prunable weights where each set is at its last group: none lower can be reached."""
    everything = groups.everything()
    equal = torch.zeros(groups.num_groups, dtype=torch.float64)
    context = ChannelContext(equal, everything, groups, weights={})
    counts = _counts(groups, everything, _falls(context, equal))
    return int(counts[-1]) / int(counts[0])


def _falls(context: ChannelContext, order: Tensor) -> Tensor:
    """The groups that may fall, in the order in which they do: all that are left but one a set.

    Args:
        context: What is left, and the scores.
        order: The allocation's, by group.
    """
    sets = context.groups.sets
    turns = _ascending(order, context.kept)
    members = _ascending(context.scores, context.kept)
    # The n-th turn of a set is that of its n-th lowest member: both are brought together by set.
    places = sets[turns].argsort(stable=True)
    by_set = members[sets[members].argsort(stable=True)]
    falls = torch.empty_like(by_set)
    falls[places] = by_set
    is_last = torch.ones_like(by_set, dtype=torch.bool)
    is_last[:-1] = sets[by_set[1:]] != sets[by_set[:-1]]
    may_fall = torch.ones_like(is_last)
    may_fall[places[is_last]] = False
    return falls[may_fall]


def _ascending(values: Tensor, kept: Tensor) -> Tensor:
    """The groups that are left, lowest value first; of equals the later, as weights are ranked."""
    left = kept.nonzero().flatten().flip(0)
    return left[values[left].argsort(stable=True)]


def _counts(groups: ChannelGroups, kept: Tensor, falls: Tensor) -> Tensor:
    """Prunable weights left after the first 0, 1, 2 … of ``falls``, int64 ``[1 + falls]``."""
    counts = torch.zeros(1 + len(falls), dtype=torch.int64)
    for name, size in groups.sizes.items():
        num_rows, num_columns = (
            len(ids) - _before(slices_by_group(ids, groups)[falls])
            for ids in ids_left(groups, name, kept)
        )
        counts += num_rows * num_columns * size[2:].numel()
    return counts


def _before(numbers: Tensor) -> Tensor:
    """The sum of the first 0, 1, 2 … of ``numbers``."""
    return torch.cat([numbers.new_zeros(1), numbers.cumsum(0)])
