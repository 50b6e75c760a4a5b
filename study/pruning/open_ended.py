"""The schedule for streams whose length nobody knows."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from study.pruning.schedules import SCHEDULES, PruningEvent, PruningSchedule

Driver = Literal["examples", "plateau"]


@SCHEDULES.register("open_ended")
@dataclass(frozen=True)
class OpenEnded(PruningSchedule):
    """Density from what has arrived or from what was learned, never from T; down to a floor.

    ``examples``: the density above the floor halves with every ``half_life`` examples.
    ``plateau``: the density is multiplied by ``plateau_factor`` each time that
    ``plateau_patience`` megabatches in a row brought no better validation error. From then on
    the smaller network is measured against itself, not against the larger one before.

    Attributes:
        floor: Lowest density, above 0 and at most 1.
        driver: What it follows, ``examples`` or ``plateau``.
        half_life: Examples of the stream, at least 1.
        plateau_patience: Megabatches without a better validation error, at least 1.
        plateau_factor: Kept fraction of the survivors at a plateau, between 0 and 1.
    """

    takes_target: ClassVar[bool] = False
    ends_on_target: ClassVar[bool] = False
    goes_on: ClassVar[bool] = True
    density_setting: ClassVar[str | None] = "floor"

    floor: float = 0.05
    driver: Driver = "examples"
    half_life: int = 10_000
    plateau_patience: int = 1
    plateau_factor: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.floor <= 1:
            raise ValueError(f"floor must be above 0 and at most 1, got {self.floor}; 5 % is 0.05")
        if self.driver not in get_args(Driver):
            raise ValueError(f"driver must be examples or plateau, got {self.driver!r}")
        if self.half_life < 1:
            raise ValueError(f"half_life must be at least 1 example, got {self.half_life}")
        if self.plateau_patience < 1:
            raise ValueError(
                f"plateau_patience must be at least 1 megabatch, got {self.plateau_patience}"
            )
        if not 0 < self.plateau_factor < 1:
            raise ValueError(
                f"plateau_factor must be between 0 and 1 (exclusive), got {self.plateau_factor}; "
                "0.8 keeps 80 % of the survivors"
            )

    def density(self, event: PruningEvent) -> float:
        """Density from the examples arrived or from the validation errors so far."""
        if self.driver == "examples":
            halved = math.pow(0.5, event.samples_arrived / self.half_life)
            return self.floor + (1.0 - self.floor) * halved
        num_plateaus = self._count_plateaus(event.validation_errors)
        return max(self.floor, math.pow(self.plateau_factor, num_plateaus))

    def lowest_density(self, num_megabatches: int, target: float | None) -> float | None:  # noqa: ARG002  # however long the stream
        """The floor."""
        return self.floor

    @property
    def needs_validation(self) -> str | None:
        """``driver`` where it is ``plateau``."""
        return "driver" if self.driver == "plateau" else None

    def _count_plateaus(self, errors: tuple[float, ...]) -> int:
        plateaus, num_worse, best = 0, 0, float("inf")
        for error in errors:
            num_worse = 0 if error < best else num_worse + 1
            best = min(best, error)
            if num_worse == self.plateau_patience:
                plateaus, num_worse, best = plateaus + 1, 0, error
        return plateaus
