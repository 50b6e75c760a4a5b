"""Learning-rate schedules: what the rate is multiplied by over the steps of one megabatch."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from study.registry import Registry

STEPS = "steps"


@dataclass(frozen=True)
class LearningRateSchedule(ABC):
    """Plug-in: the course of the learning rate within a megabatch, which restarts with each.

    Fields are its settings under ``training.``.
    """

    @abstractmethod
    def factor(self, step: int, *, num_steps: int) -> float:
        """What ``training.lr`` is multiplied by, at least 0.

        Args:
            step: 0-based, of those after the warm-up.
            num_steps: How many these are.
        """


LR_SCHEDULES: Registry[LearningRateSchedule] = Registry("learning-rate schedule")


@LR_SCHEDULES.register(STEPS)
@dataclass(frozen=True)
class Steps(LearningRateSchedule):
    """Falls at milestones: the paper's, at epochs 20 and 40 of 50.

    Attributes:
        lr_milestones: Fractions of a megabatch's steps, each between 0 and 1, rising.
        lr_factor: What the rate is multiplied by at each, above 0 and at most 1.
    """

    lr_milestones: tuple[float, ...] = (0.4, 0.8)
    lr_factor: float = 0.1

    def __post_init__(self) -> None:
        given = list(self.lr_milestones)
        if given != sorted(set(given)) or not all(0 < m < 1 for m in given):
            raise ValueError(
                f"lr_milestones must rise and lie between 0 and 1, got {given}; they are "
                f"fractions of a megabatch's steps"
            )
        if not 0 < self.lr_factor <= 1:
            raise ValueError(f"lr_factor must be above 0 and at most 1, got {self.lr_factor}")

    def factor(self, step: int, *, num_steps: int) -> float:
        """``lr_factor`` to the number of milestones that are passed."""
        # A product like 0.4 · 50 must not be moved to the next step by rounding.
        passed = sum(step >= math.ceil(m * num_steps - 1e-9) for m in self.lr_milestones)
        return self.lr_factor**passed


@LR_SCHEDULES.register("cosine")
@dataclass(frozen=True)
class Cosine(LearningRateSchedule):
    """Half a cosine from 1 to nearly 0 (Loshchilov & Hutter 2017, arXiv 1608.03983)."""

    def factor(self, step: int, *, num_steps: int) -> float:
        """(1 + cos(π · step / num_steps)) / 2: never quite 0."""
        return (1.0 + math.cos(math.pi * step / num_steps)) / 2.0


@LR_SCHEDULES.register("constant")
@dataclass(frozen=True)
class Constant(LearningRateSchedule):
    """Stays as it is."""

    def factor(self, step: int, *, num_steps: int) -> float:  # noqa: ARG002  # whatever the step
        """1."""
        return 1.0
