"""Schedules over a stream of known length: d_k as a function of k, T and the target d_T.

Each is a pure function of its event, so a restart needs no memory. Densities and sparsities are
fractions.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from study.pruning.schedules import (
    SCHEDULES,
    SPARSITY_BASE,
    PruningEvent,
    PruningSchedule,
    tau_of,
)


@SCHEDULES.register("dense")
@dataclass(frozen=True)
class Dense(PruningSchedule):
    """Nothing is pruned: the dense baseline."""

    prunes: ClassVar[bool] = False
    takes_target: ClassVar[bool] = False

    def density(self, event: PruningEvent) -> float:  # noqa: ARG002  # the same at every event
        """1 at every event."""
        return 1.0

    def final_density(self, num_megabatches: int, target: float | None) -> float | None:  # noqa: ARG002  # as above
        """1."""
        return 1.0


@SCHEDULES.register("one_shot")
@dataclass(frozen=True)
class OneShot(PruningSchedule):
    """All at once when the first megabatch opens: the paper's Anytime OSP."""

    def density(self, event: PruningEvent) -> float:
        """d_T at every event."""
        return event.target


@SCHEDULES.register("app")
@dataclass(frozen=True)
class AnytimeProgressive(PruningSchedule):
    """APP as published: geometric in density, from 0.8 at the first event (arXiv 2204.01640)."""

    def density(self, event: PruningEvent) -> float:
        """0.8^(x_k), x_k linearly spaced from min(1, τ) to τ over k = 1 … T."""
        if event.is_last:
            return event.target
        tau = tau_of(event.target)
        first = min(1.0, tau)
        x = first + (tau - first) * (event.k - 1) / (event.num_megabatches - 1)
        return max(event.target, math.pow(SPARSITY_BASE, x))


@SCHEDULES.register("geometric")
@dataclass(frozen=True)
class Geometric(PruningSchedule):
    """The same fraction of the survivors goes at every event, whatever T is.

    Attributes:
        rate: Fraction of the surviving weights removed at each event, between 0 and 1.
    """

    takes_target: ClassVar[bool] = False
    goes_on: ClassVar[bool] = True
    density_setting: ClassVar[str | None] = "rate"

    rate: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(
                f"rate must be between 0 and 1 (exclusive), got {self.rate}; 20 % is 0.2"
            )

    def density(self, event: PruningEvent) -> float:
        """(1 − rate)^k."""
        return (1.0 - self.rate) ** event.k

    def final_density(self, num_megabatches: int, target: float | None) -> float | None:  # noqa: ARG002  # it takes no target
        """(1 − rate)^T."""
        return (1.0 - self.rate) ** num_megabatches


@dataclass(frozen=True)
class SparsityShape(PruningSchedule):
    """Schedules whose sparsity is s_T times a rising function of k / T."""

    def risen(self, progress: float) -> float:
        """Share of the final sparsity at ``progress`` = k / T, rising from 0 to 1."""
        raise NotImplementedError

    def density(self, event: PruningEvent) -> float:
        """1 − s_T · risen(k / T), and the target itself at the end."""
        if event.is_last:
            return event.target
        share = min(1.0, self.risen(event.progress))
        return max(event.target, 1.0 - (1.0 - event.target) * share)


@SCHEDULES.register("linear")
@dataclass(frozen=True)
class Linear(SparsityShape):
    """Sparsity linear in k."""

    def risen(self, progress: float) -> float:
        """K / T."""
        return progress


@SCHEDULES.register("cubic")
@dataclass(frozen=True)
class Cubic(SparsityShape):
    """Fast at first, gentle at the end (Zhu & Gupta 2017, arXiv 1710.01878)."""

    def risen(self, progress: float) -> float:
        """1 − (1 − k/T)³."""
        return 1.0 - (1.0 - progress) ** 3


@SCHEDULES.register("cosine")
@dataclass(frozen=True)
class Cosine(SparsityShape):
    """Half a cosine: gentle at both ends."""

    def risen(self, progress: float) -> float:
        """(1 − cos(π·k/T)) / 2."""
        return (1.0 - math.cos(math.pi * progress)) / 2.0


@SCHEDULES.register("exponential")
@dataclass(frozen=True)
class Exponential(SparsityShape):
    """Sparsity that nears its end exponentially.

    Attributes:
        sharpness: How much of the pruning comes early, above 0: near 0 it is ``linear``, far
            above it is ``one_shot``.
    """

    sharpness: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.sharpness < math.inf:
            raise ValueError(
                f"sharpness must be a number above 0, got {self.sharpness}; 3 is usual"
            )

    def risen(self, progress: float) -> float:
        """(1 − e^(−sharpness·k/T)) / (1 − e^(−sharpness))."""
        return math.expm1(-self.sharpness * progress) / math.expm1(-self.sharpness)


@SCHEDULES.register("step")
@dataclass(frozen=True)
class Step(PruningSchedule):
    """Densities written out, one a megabatch.

    Attributes:
        densities: d_1 … d_T, each in (0, 1] and none above the one before.
    """

    takes_target: ClassVar[bool] = False
    ends_on_target: ClassVar[bool] = False
    density_setting: ClassVar[str | None] = "densities"

    densities: tuple[float, ...]

    def __post_init__(self) -> None:
        outside = [density for density in self.densities if not 0 < density <= 1]
        if outside or not self.densities:
            raise ValueError(
                "densities must be given, one a megabatch, each above 0 and at most 1, got "
                f"{list(self.densities)}; a third kept is 0.333"
            )
        for before, after in zip(self.densities, self.densities[1:], strict=False):
            if after > before:
                raise ValueError(
                    f"densities must not rise, got {after} after {before}; pruned weights do not "
                    "come back (pruning.regrow swaps some)"
                )

    def density(self, event: PruningEvent) -> float:
        """The k-th of ``densities``."""
        self._check_length(event.num_megabatches)
        return self.densities[event.k - 1]

    def final_density(self, num_megabatches: int, target: float | None) -> float | None:  # noqa: ARG002  # it takes no target
        """The last of ``densities``.

        Raises:
            ValueError: There is not one density a megabatch.
        """
        self._check_length(num_megabatches)
        return self.densities[-1]

    def _check_length(self, num_megabatches: int) -> None:
        if len(self.densities) != num_megabatches:
            raise ValueError(
                f"densities must be one a megabatch: there are {len(self.densities)}, but "
                f"stream.num_megabatches is {num_megabatches}"
            )
