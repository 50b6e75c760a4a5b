"""How a megabatch descends: the optimiser, the course of its learning rate, and what it is fed."""

from dataclasses import dataclass

import torch
from torch import nn

from study.training.learning_rates import LearningRateSchedule
from study.training.optimisers import Optimiser


@dataclass(frozen=True)
class OptimiserSpec:
    """An optimiser and its learning rate, which restarts with each megabatch.

    Attributes:
        lr: The rate that the schedule begins with, after the warm-up.
        optimiser: What makes steps.
        schedule: The course of the rate.
        warmup: Fraction of a megabatch's steps in [0, 1) over which the rate rises to ``lr``.
        label_smoothing: Share of the target that is spread over all classes, in [0, 1).
        clip_norm: Gradients of what is kept are scaled to at most this norm; None leaves them.
    """

    lr: float
    optimiser: Optimiser
    schedule: LearningRateSchedule
    warmup: float = 0.0
    label_smoothing: float = 0.0
    clip_norm: float | None = None

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of ``model``'s trainable parameters."""
        return self.optimiser.build(model, lr=self.lr)

    def lr_at(self, step: int, *, num_steps: int) -> float:
        """Learning rate of the 0-based ``step`` of a megabatch with ``num_steps`` in all."""
        num_warm = round(self.warmup * num_steps)
        if step < num_warm:
            return self.lr * (step + 1) / (num_warm + 1)
        return self.lr * self.schedule.factor(step - num_warm, num_steps=num_steps - num_warm)
