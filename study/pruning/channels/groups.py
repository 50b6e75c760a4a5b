"""Channel groups: the slices of a network's tensors that fall together when a channel falls."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from study.pruning.mask import Mask


@dataclass(frozen=True, eq=False)
class Axes:
    """Which group each slice of a tensor falls with; -1 where it never falls. int64, on the CPU.

    Attributes:
        rows: By index of dimension 0; None where no row ever falls.
        columns: By index of dimension 1; None where no column ever falls, as of vectors and of
            grouped convolutions, which lose whole groups by their rows. Of an index map (a vector
            of input channels) by input channel.
    """

    rows: Tensor | None
    columns: Tensor | None


@dataclass(frozen=True, eq=False)
class ChannelGroups:
    """The channels of a network that fall together, in the coordinates of the original network.

    A weight is written by its row's group and read by its column's, and is kept where both are.
    ``kept`` is everywhere bool ``[num_groups]``, on the CPU.

    Attributes:
        axes: By name of each parameter and buffer that a group reaches.
        sets: int64 ``[num_groups]``: groups of the same number are interchangeable, since they
            have as many slices of the same tensors. Numbers run from 0 without gaps.
        sizes: Shapes of the prunable weights by name, in the mask's order. Only these are
            counted and scored.
    """

    axes: Mapping[str, Axes]
    sets: Tensor
    sizes: Mapping[str, torch.Size]

    @property
    def num_groups(self) -> int:
        """Number of groups."""
        return len(self.sets)

    @property
    def num_sets(self) -> int:
        """Number of sets of interchangeable groups."""
        return int(self.sets.max()) + 1 if len(self.sets) else 0

    def everything(self) -> Tensor:
        """Every group kept: the original network."""
        return torch.ones(self.num_groups, dtype=torch.bool)

    def mask(self, kept: Tensor) -> Mask:
        """The weights that are left where ``kept`` groups are, in the original's shapes."""
        tensors = {}
        for name, size in self.sizes.items():
            rows, columns = self._flags(name, kept)
            joins = rows[:, None] & columns
            tensors[name] = (
                joins.reshape(*joins.shape, *[1] * (len(size) - 2)).expand(size).clone()
            )
        return Mask(tensors)

    def kept_in(self, mask: Mask) -> Tensor:
        """The groups whose :meth:`mask` is ``mask``, in any order of layers: a file has its own.

        Raises:
            ValueError: It is of other layers, or not of whole groups.
        """
        shapes = {name: tensor.shape for name, tensor in mask.tensors.items()}
        if shapes != dict(self.sizes):
            raise ValueError(f"a mask of {shapes} is not one of {dict(self.sizes)}")
        kept = torch.zeros(self.num_groups, dtype=torch.bool)
        for name, tensor in mask.tensors.items():
            axes = self.axes.get(name, Axes(None, None))
            joins = tensor.flatten(2).any(2).cpu() if tensor.dim() > 2 else tensor.cpu()
            for groups, flags in ((axes.rows, joins.any(1)), (axes.columns, joins.any(0))):
                if groups is not None:
                    kept[groups[flags & (groups >= 0)]] = True
        whole = self.mask(kept).tensors
        if not all(torch.equal(whole[name], flags.cpu()) for name, flags in mask.tensors.items()):
            raise ValueError("the mask keeps parts of channels, not whole channel groups")
        return kept

    def count(self, kept: Tensor) -> int:
        """Prunable weights that are left: rows × columns × kernel, summed over layers."""
        total = 0
        for name, size in self.sizes.items():
            rows, columns = self._flags(name, kept)
            total += int(rows.sum()) * int(columns.sum()) * size[2:].numel()
        return total

    def slices(self, name: str, kept: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Indices of the rows and of the columns of tensor ``name`` that are left, ascending.

        None where none ever falls.
        """
        axes = self.axes.get(name, Axes(None, None))
        return _left(axes.rows, kept), _left(axes.columns, kept)

    def _flags(self, name: str, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Which rows and columns of a prunable weight are left, bool."""
        axes, size = self.axes.get(name, Axes(None, None)), self.sizes[name]
        return _flags(axes.rows, size[0], kept), _flags(axes.columns, size[1], kept)


def _flags(groups: Tensor | None, size: int, kept: Tensor) -> Tensor:
    if groups is None:
        return torch.ones(size, dtype=torch.bool)
    # -1 is the last place: what never falls.
    return torch.cat([kept, kept.new_ones(1)])[groups]


def _left(groups: Tensor | None, kept: Tensor) -> Tensor | None:
    return None if groups is None else _flags(groups, len(groups), kept).nonzero().flatten()
