"""How "depends on the input" and "reaches the output" pass between two values, per channel.

A value of a traced network is seen as a row of channels (its dimension 1). A link joins two
values: it holds which channels of the result depend on which of the argument.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class NotUnderstoodError(Exception):
    """An operation whose dependencies are not known here."""


class Link(Protocol):
    """Which channels of a result depend on which channels of one argument."""

    def forward(self, reached: Tensor) -> Tensor:
        """Channels of the result that depend on the ``reached`` channels of the argument."""

    def backward(self, wanted: Tensor) -> Tensor:
        """Channels of the argument that the ``wanted`` channels of the result depend on."""


class Same:
    """Channel by channel: activation, batch normalisation, dropout, pooling, sum, product."""

    def forward(self, reached: Tensor) -> Tensor:
        """The same channels."""
        return reached

    def backward(self, wanted: Tensor) -> Tensor:
        """The same channels."""
        return wanted


@dataclass(frozen=True)
class Repeat:
    """Flattening: each channel becomes ``times`` features in a row."""

    times: int

    def forward(self, reached: Tensor) -> Tensor:
        """Every feature of a channel."""
        return reached.repeat_interleave(self.times)

    def backward(self, wanted: Tensor) -> Tensor:
        """Channels with any feature."""
        return wanted.reshape(-1, self.times).any(1)


@dataclass(frozen=True)
class Placed:
    """A part of the argument's channels, put somewhere among the result's.

    Attributes:
        source: Channels of the argument.
        target: As many channels of the result.
        sizes: How many channels argument and result have.
    """

    source: slice
    target: slice
    sizes: tuple[int, int]

    def forward(self, reached: Tensor) -> Tensor:
        """Nothing outside the target."""
        result = torch.zeros(self.sizes[1], dtype=torch.bool)
        result[self.target] = reached[self.source]
        return result

    def backward(self, wanted: Tensor) -> Tensor:
        """Nothing outside the source."""
        argument = torch.zeros(self.sizes[0], dtype=torch.bool)
        argument[self.source] = wanted[self.target]
        return argument


@dataclass(frozen=True)
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
        """Flags of the input channels, laid out as ``joins``."""
        outputs_per_group = self.joins.shape[0] // self.groups
        return inputs.reshape(self.groups, -1).repeat_interleave(outputs_per_group, 0)
