"""Sets of interchangeable channel groups, as an allocation sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from study.pruning.channels.groups import ChannelGroups


@dataclass(frozen=True, eq=False)
class ChannelContext:
    """What an allocation over sets of channel groups may look at. It changes none of it.

    Attributes:
        scores: fp64 ``[num_groups]``, finite where a group is left.
        kept: bool ``[num_groups]``: the groups that are left.
        groups: Of the original network; groups of a set are interchangeable.
        weights: The network's, by prunable layer, in the shapes that it has now.
    """

    scores: Tensor
    kept: Tensor
    groups: ChannelGroups
    weights: Mapping[str, Tensor]

    @cached_property
    def set_sizes(self) -> Tensor:
        """How many groups each set had at first, int64 ``[num_sets]``."""
        return torch.bincount(self.groups.sets, minlength=self.groups.num_sets)

    @cached_property
    def turns(self) -> Tensor:
        """The falls of a set, numbered from its first of all, one for each group.

        int64 ``[num_groups]``: of a set of 5 that has lost 2, the 3 that are left have 2, 3, 4.
        """
        by_set = (2 * self.groups.sets + self.kept).argsort(stable=True)
        starts = self.set_sizes.cumsum(0) - self.set_sizes
        turns = torch.empty_like(by_set)
        turns[by_set] = torch.arange(len(by_set)) - starts[self.groups.sets[by_set]]
        return turns

    @property
    def fraction_left(self) -> Tensor:
        """Of a group's set, in the midst of its turn: (n − turn − ½) / n, fp64, n at first."""
        sizes = self.set_sizes[self.groups.sets]
        return (2 * (sizes - self.turns) - 1).double() / (2 * sizes).double()


def sets_of_layer(groups: ChannelGroups, name: str) -> Tensor:
    """Which sets have rows or columns of a weight, bool ``[num_sets]``."""
    axes = groups.axes.get(name)
    sides = () if axes is None else (axes.rows, axes.columns)
    ids = [ids[ids >= 0] for ids in sides if ids is not None]
    reached = torch.zeros(groups.num_sets, dtype=torch.bool)
    for each in ids:
        reached[groups.sets[each]] = True
    return reached
