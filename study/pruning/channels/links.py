"""How channels of one value of a traced network depend on those of another.

A value is seen as a row of channels. A link joins two values: it holds which channels of the
result depend on which of the argument.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class NotUnderstoodError(Exception):
    """An operation whose dependencies are not known here; the message begins with its name."""


class Link(Protocol):
    """Which channels of a result depend on which channels of one argument."""

    def forward(self, reached: Tensor) -> Tensor:
        """Channels of the result that depend on the ``reached`` channels of the argument."""

    def backward(self, wanted: Tensor) -> Tensor:
        """Channels of the argument that the ``wanted`` channels of the result depend on."""


@dataclass(frozen=True, eq=False)
class Carried:
    """Each channel of the result comes from one channel of the argument, or from none.

    So do activations, batch normalisation, pooling, sums, products, flattening, concatenation.

    Attributes:
        sources: int64, by channel of the result: the channel of the argument; -1 for none.
        size: Channels of the argument.
        index_map: Name of the index map that says so, where it is one.
    """

    sources: Tensor
    size: int
    index_map: str | None = None

    @classmethod
    def same(cls, size: int) -> "Carried":
        """Channel by channel."""
        return cls(torch.arange(size), size)

    @classmethod
    def placed(cls, size: int, start: int, result_size: int) -> "Carried":
        """All of the argument's channels, from ``start`` on among the result's."""
        sources = torch.full((result_size,), -1)
        sources[start : start + size] = torch.arange(size)
        return cls(sources, size)

    def forward(self, reached: Tensor) -> Tensor:
        """What a source is; nothing where there is none."""
        return torch.cat([reached, reached.new_zeros(1)])[self.sources]

    def backward(self, wanted: Tensor) -> Tensor:
        """The sources of what is wanted."""
        argument = torch.zeros(self.size, dtype=torch.bool)
        argument[self.sources[wanted & (self.sources >= 0)]] = True
        return argument


@dataclass(frozen=True)
class Mixed:
    """Normalisation across channels: all of a group depend on all of it, by mean and variance."""

    groups: int

    def forward(self, reached: Tensor) -> Tensor:
        """Whole groups with any channel reached."""
        return _any_of_group(reached, self.groups)

    def backward(self, wanted: Tensor) -> Tensor:
        """Whole groups with any channel wanted."""
        return _any_of_group(wanted, self.groups)


@dataclass(frozen=True, eq=False)
class Weighted:
    """Convolution or linear layer.

    Attributes:
        name: Of its weight.
        joins: bool ``[out, in / groups]``: whether any weight between the two is kept.
        groups: Groups of the convolution.
    """

    name: str
    joins: Tensor
    groups: int

    def forward(self, reached: Tensor) -> Tensor:
        """Outputs with a kept weight from a reached input."""
        return (self.joins & self.by_input(reached)).any(1)

    def backward(self, wanted: Tensor) -> Tensor:
        """Inputs with a kept weight to a wanted output."""
        used = self.joins & wanted[:, None]
        return used.reshape(self.groups, -1, used.shape[1]).any(1).flatten()

    def by_input(self, inputs: Tensor) -> Tensor:
        """What the input channels have, laid out as ``joins``."""
        outputs_per_group = self.joins.shape[0] // self.groups
        return inputs.reshape(self.groups, -1).repeat_interleave(outputs_per_group, 0)


def _any_of_group(flags: Tensor, groups: int) -> Tensor:
    return flags.reshape(groups, -1).any(1).repeat_interleave(len(flags) // groups)
