"""Channels by number, some of which turn out to be the same."""

import numpy as np
import torch
from torch import Tensor

NEVER = 0
"""The channel that never falls."""


class Channels:
    """A forest of channels (union-find); the lowest number stands for all that are the same."""

    def __init__(self) -> None:
        self._parents = [NEVER]

    def new(self, size: int) -> Tensor:
        """As many channels as nobody has seen before, int64."""
        first = len(self._parents)
        self._parents.extend(range(first, first + size))
        return torch.arange(first, first + size)

    def unite(self, left: Tensor, right: Tensor | int) -> None:
        """Make each channel of ``left`` the same as that of ``right``, or as the one."""
        others = [right] * len(left) if isinstance(right, int) else right.tolist()
        for a, b in zip(left.tolist(), others, strict=True):
            one, other = self._find(a), self._find(b)
            self._parents[max(one, other)] = min(one, other)

    def numbers(self) -> Tensor:
        """By channel: its group, from 0 in the order of their first channels; -1: never falls."""
        roots = [self._find(channel) for channel in range(len(self._parents))]
        # NEVER is the lowest of all.
        return torch.from_numpy(np.unique(roots, return_inverse=True)[1]) - 1

    def _find(self, channel: int) -> int:
        parents = self._parents
        while parents[channel] != channel:
            parents[channel] = parents[parents[channel]]
            channel = parents[channel]
        return channel
