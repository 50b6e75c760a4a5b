"""Optimisers: what makes steps of gradients."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import nn

from study.registry import Registry

SGD = "sgd"


@dataclass(frozen=True)
class Optimiser(ABC):
    """Plug-in: an optimiser of torch's. Fields are its settings under ``training.``.

    After each step pruned weights are set to 0 again, whatever it remembers of them; what comes
    back brings nothing that was remembered while it was pruned. The learning rate is set anew
    before each step.
    """

    @abstractmethod
    def build(self, model: nn.Module, *, lr: float) -> torch.optim.Optimizer:
        """Of ``model``'s trainable parameters, in the order of the model."""


OPTIMISERS: Registry[Optimiser] = Registry("optimiser")


@OPTIMISERS.register(SGD)
@dataclass(frozen=True)
class Sgd(Optimiser):
    """Stochastic gradient descent; the defaults are the paper's.

    Attributes:
        momentum: At least 0 and below 1.
        weight_decay: At least 0, added to the gradients of all parameters.
        nesterov: Nesterov's momentum.
    """

    momentum: float = 0.9
    weight_decay: float = 1e-4
    nesterov: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got {self.momentum}")
        _check_decay(self.weight_decay)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs momentum; set training.momentum above 0")

    def build(self, model: nn.Module, *, lr: float) -> torch.optim.Optimizer:
        """One pass over the parameters a step."""
        return torch.optim.SGD(
            [p for p in model.parameters() if p.requires_grad],
            lr=lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            fused=True,
        )


@OPTIMISERS.register("adamw")
@dataclass(frozen=True)
class AdamW(Optimiser):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101).

    Biases and the parameters of normalisation do not decay, as networks of attention are usually
    trained.

    Attributes:
        weight_decay: At least 0.
        betas: Of the two moments, each at least 0 and below 1.
    """

    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        _check_decay(self.weight_decay)
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(
                f"betas must be two numbers, each at least 0 and below 1, got {list(self.betas)}"
            )

    def build(self, model: nn.Module, *, lr: float) -> torch.optim.Optimizer:
        """One pass over the parameters a step; those of one dimension in a group of their own."""
        trainable = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {
                "params": [p for p in trainable if p.dim() > 1],
                "weight_decay": self.weight_decay,
            },
            {"params": [p for p in trainable if p.dim() <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=lr, betas=self.betas, fused=True
        )


def _check_decay(weight_decay: float) -> None:
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay must be at least 0, got {weight_decay}")
