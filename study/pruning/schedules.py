"""Pruning schedules: the density after each pruning event."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from study.registry import Registry

SPARSITY_BASE = 0.8  # the paper's: density = 0.8^τ


@dataclass(frozen=True)
class PruningEvent:
    """The opening of a megabatch, as a schedule sees it.

    Attributes:
        k: 1-based number of the megabatch.
        num_megabatches: T.
        target_density: Density at the end of the stream; None for a schedule without target.
        previous_density: Density before the event.
        samples_arrived: Examples of the stream that have arrived, this megabatch's included.
        validation_errors: Error rate on validation after each earlier megabatch.
    """

    k: int
    num_megabatches: int
    target_density: float | None
    previous_density: float = 1.0
    samples_arrived: int = 0
    validation_errors: tuple[float, ...] = ()


@dataclass(frozen=True)
class PruningSchedule(ABC):
    """Plug-in: target density d_k. Fields are its settings under ``pruning.``."""

    # Whether it takes pruning.final_density or pruning.tau.
    takes_target: ClassVar[bool] = True
    # Whether d_T is known before the stream starts, from target and T alone.
    ends_on_target: ClassVar[bool] = True

    @abstractmethod
    def density(self, event: PruningEvent) -> float:
        """Density in (0, 1] after the pruning event, never above ``previous_density``."""


SCHEDULES: Registry[PruningSchedule] = Registry("pruning schedule")
