"""A layer that moves channels about by an index map."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class ChannelMap(nn.Module):
    """Each channel of the result is one channel of the argument, or zero.

    Attributes:
        sources: By channel of the result: the channel of the argument; -1 for zero.
    """

    def __init__(self, sources: Sequence[int]) -> None:
        super().__init__()
        # No buffer: one made on torch's meta device would have no values.
        self.sources = tuple(sources)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[B, C', H, W]``."""
        index = torch.tensor(self.sources, device=x.device) + 1
        with_zero = functional.pad(x, (0, 0, 0, 0, 1, 0))
        return with_zero.index_select(1, index)

    def extra_repr(self) -> str:
        """Number of channels."""
        return f"{len(self.sources)} channels"
