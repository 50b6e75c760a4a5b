"""SGD as the paper uses it: the learning rate restarts with each megabatch."""

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class OptimiserSpec:
    """SGD and its steps of the learning rate.

    ``lr_milestones`` are fractions of a megabatch's steps, at each of which the learning rate is
    multiplied by ``lr_factor`` (paper: epochs 20 and 40 of 50 = 0.4 and 0.8).
    """

    lr: float
    momentum: float
    weight_decay: float
    nesterov: bool = False
    lr_milestones: tuple[float, ...] = ()
    lr_factor: float = 0.1

    def build(self, model: nn.Module) -> torch.optim.SGD:
        """The optimiser of ``model``'s trainable parameters: one pass over them a step."""
        return torch.optim.SGD(
            [p for p in model.parameters() if p.requires_grad],
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            fused=True,
        )

    def lr_at(self, step: int, *, num_steps: int) -> float:
        """Learning rate of the 0-based ``step`` of a megabatch with ``num_steps`` in all."""
        # A product like 0.4 · 50 must not be moved to the next step by rounding.
        passed = sum(step >= math.ceil(m * num_steps - 1e-9) for m in self.lr_milestones)
        return self.lr * self.lr_factor**passed
