"""The pruning schedule plug-in point: the density after each pruning event."""

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from study.registry import Registry

SPARSITY_BASE = 0.8  # the paper's: density = 0.8^τ


@dataclass(frozen=True)
class PruningEvent:
    """The opening of a megabatch, as a schedule sees it.

    Attributes:
        k: 1-based number of the megabatch; above T for one that arrives after the stream.
        num_megabatches: T.
        target_density: Density at the end of the stream; None for a schedule without target.
        previous_density: Density before the event.
        samples_arrived: Examples that have arrived, this megabatch's included.
        validation_errors: Error rate on validation after each earlier megabatch.
    """

    k: int
    num_megabatches: int
    target_density: float | None
    previous_density: float = 1.0
    samples_arrived: int = 0
    validation_errors: tuple[float, ...] = ()

    @property
    def target(self) -> float:
        """The target density, for schedules that take one."""
        assert self.target_density is not None, "a schedule with a target was given none"
        return self.target_density

    @property
    def is_last(self) -> bool:
        """Whether the last megabatch opens."""
        return self.k == self.num_megabatches

    @property
    def progress(self) -> float:
        """K / T, in (0, 1]."""
        return self.k / self.num_megabatches


@dataclass(frozen=True)
class PruningSchedule(ABC):
    """Plug-in: target density d_k. Fields are its settings under ``pruning.``."""

    # Whether it ever prunes: else no setting of pruning or saliency does anything under it.
    prunes: ClassVar[bool] = True
    # Whether it takes pruning.final_density or pruning.tau.
    takes_target: ClassVar[bool] = True
    # Whether d_T is known before the stream starts, from target and T alone.
    ends_on_target: ClassVar[bool] = True
    # Whether it prunes on where megabatches arrive after the T that it was made for.
    goes_on: ClassVar[bool] = False
    # The setting of its own that its lowest density follows from; None where it has none.
    density_setting: ClassVar[str | None] = None

    @abstractmethod
    def density(self, event: PruningEvent) -> float:
        """Density in (0, 1] after the pruning event, never above that of the event before."""

    def density_at(self, event: PruningEvent) -> float:
        """The same for any k: after the stream a schedule that does not go on stays at d_T."""
        if event.k > event.num_megabatches and not self.goes_on:
            return self.density(dataclasses.replace(event, k=event.num_megabatches))
        return self.density(event)

    def final_density(self, num_megabatches: int, target: float | None) -> float | None:  # noqa: ARG002  # others use both
        """The density that a stream of ``num_megabatches`` is known to end on; else None.

        Args:
            num_megabatches: T.
            target: Density asked for; None for a schedule without target.
        """
        return target if self.takes_target and self.ends_on_target else None

    def lowest_density(self, num_megabatches: int, target: float | None) -> float | None:
        """The lowest density that it may come to over such a stream; None where none is known."""
        return self.final_density(num_megabatches, target)

    @property
    def needs_validation(self) -> str | None:
        """The setting by which it follows the validation error; None where it follows none."""
        return None


SCHEDULES: Registry[PruningSchedule] = Registry("pruning schedule")


def tau_of(density: float) -> float:
    """The paper's sparsity level τ of ``density`` in (0, 1]: ln(density) / ln(0.8), at least 0."""
    # math.log(1.0) / negative is -0.0, which would print as such.
    return abs(math.log(density) / math.log(SPARSITY_BASE))
