"""Channel groups of made-up networks, and their weights cut by hand."""

from collections.abc import Mapping

import torch
from hypothesis import strategies as st
from torch import Tensor

from study.pruning.allocation import Allocation
from study.pruning.channels.groups import Axes, ChannelGroups
from study.pruning.channels.survivors import surviving

KERNELS = [(), (1, 1), (3, 2)]


@st.composite
def structures(draw: st.DrawFn) -> ChannelGroups:
    """Up to 4 sets in up to 6 layers: repeated, concatenated, coupled and protected channels.

    Every set has a layer that it writes. The groups of a set are not neighbours.
    """
    sizes = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    numbers = torch.randperm(sum(sizes), generator=generator)
    members = numbers.split(sizes)
    sets = torch.empty(sum(sizes), dtype=torch.int64)
    for number, groups in enumerate(members):
        sets[groups] = number
    widths = st.integers(1, 3)
    protected = torch.full((draw(st.integers(1, 3)),), -1)

    def side(*choices: int) -> Tensor:
        parts = [members[choice].repeat_interleave(draw(widths)) for choice in choices]
        return torch.cat([*parts, protected] if draw(st.booleans()) else parts)

    any_set = st.integers(0, len(sizes) - 1)
    axes, shapes = {}, {}
    extra = draw(st.lists(st.none() | any_set, max_size=2))
    for index, written in enumerate([*range(len(sizes)), *extra]):
        name = f"layer{index}.weight"
        rows = None if written is None else side(written)
        read = draw(st.lists(any_set, max_size=2))
        columns = side(*read) if read else None
        axes[name] = Axes(rows, columns)
        shape = (4 if rows is None else len(rows), 2 if columns is None else len(columns))
        shapes[name] = torch.Size((*shape, *draw(st.sampled_from(KERNELS))))
    shapes["apart.weight"] = torch.Size((2, 3))
    return ChannelGroups(axes, sets, shapes)


def weights_of(groups: ChannelGroups, seed: int = 0) -> dict[str, Tensor]:
    """Weights of the original network."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(size, generator=generator) for name, size in groups.sizes.items()}


def cut(weights: Mapping[str, Tensor], groups: ChannelGroups, kept: Tensor) -> dict[str, Tensor]:
    """The slices of the original weights that are left."""
    result = {}
    for name, weight in weights.items():
        rows, columns = groups.slices(name, kept)
        some = weight if rows is None else weight[rows]
        result[name] = some if columns is None else some[:, columns]
    return result


def survivors_of(
    groups: ChannelGroups,
    scores: Tensor,
    num_kept: int,
    allocation: Allocation,
    *,
    kept: Tensor | None = None,
) -> Tensor:
    """The survivors among ``kept`` (or all) groups of the network with :func:`weights_of`."""
    kept = groups.everything() if kept is None else kept
    return surviving(
        groups,
        kept,
        scores,
        num_kept=num_kept,
        allocation=allocation,
        weights=cut(weights_of(groups), groups, kept),
    )
