"""Replay policies: which of the data that has arrived a megabatch trains on."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.data.dataset import IndexArray
from study.registry import Registry
from study.seeding import derive_seed


@dataclass(frozen=True)
class ReplayPolicy(ABC):
    """Plug-in: a choice among what has arrived. Fields are its settings under ``replay.``."""

    @abstractmethod
    def select(self, arrived: Sequence[IndexArray], *, seed: int) -> IndexArray:
        """The examples to learn from now, each at most once, none that has not arrived.

        A pure function: called again for the same arrivals and seed it answers the same, so a
        restarted trial needs no memory of what was chosen before.

        Args:
            arrived: Indices of each megabatch so far, the newest last; at least one.
            seed: The trial's, for policies that draw.
        """


REPLAY_POLICIES: Registry[ReplayPolicy] = Registry("replay policy")


@REPLAY_POLICIES.register("full")
@dataclass(frozen=True)
class FullReplay(ReplayPolicy):
    """All that has arrived: the paper's default."""

    def select(self, arrived: Sequence[IndexArray], *, seed: int) -> IndexArray:  # noqa: ARG002 - draws nothing
        """All parts, in order of arrival."""
        return np.concatenate(arrived)


@REPLAY_POLICIES.register("none")
@dataclass(frozen=True)
class NoReplay(ReplayPolicy):
    """The newest megabatch alone."""

    def select(self, arrived: Sequence[IndexArray], *, seed: int) -> IndexArray:  # noqa: ARG002 - draws nothing
        """The last part."""
        return arrived[-1].copy()


@REPLAY_POLICIES.register("previous")
@dataclass(frozen=True)
class PreviousReplay(ReplayPolicy):
    """The newest megabatch and the one before it."""

    def select(self, arrived: Sequence[IndexArray], *, seed: int) -> IndexArray:  # noqa: ARG002 - draws nothing
        """The last two parts, in order of arrival."""
        return np.concatenate(arrived[-2:])


@REPLAY_POLICIES.register("reservoir")
@dataclass(frozen=True)
class ReservoirReplay(ReplayPolicy):
    """The newest megabatch and a uniform sample of the past that never exceeds ``capacity``.

    What is held for training and what is held for validation share the ``capacity``.

    Bottom-k sampling: every example has a fixed random priority, and the reservoir is the
    ``capacity`` past examples with the smallest ones. That is a uniform sample without
    replacement at any time, an example once pushed out never returns, and nothing is stored.

    Attributes:
        capacity: Past examples that are held, those for validation among them.
    """

    capacity: int = 1000

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(
                f"capacity must be at least 1 example, got {self.capacity}; "
                "for no replay use stream.replay: none"
            )

    def select(self, arrived: Sequence[IndexArray], *, seed: int) -> IndexArray:
        """The reservoir in order of arrival, then the newest part."""
        *earlier, newest = arrived
        if not earlier:
            return newest.copy()
        past = np.concatenate(earlier)
        if len(past) > self.capacity:
            priorities = uniform_priorities(past, derive_seed(seed, "reservoir"))
            smallest = np.argpartition(priorities, self.capacity - 1)[: self.capacity]
            past = past[np.sort(smallest)]
        return np.concatenate([past, newest])


def uniform_priorities(indices: IndexArray, seed: int) -> NDArray[np.uint64]:
    """A uniform 64-bit priority for each index, different for different indices.

    The output function of splitmix64 (Steele, Lea, Flood 2014) at position index of the sequence
    that starts at ``seed``: a bijection, so no two indices share a priority.
    """
    mixed = indices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
