"""Masks: which weights are kept. Immutable values; 1 (True) means kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Mask:
    """A boolean tensor for each prunable parameter, by parameter name, shaped like it."""

    tensors: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        wrong = [name for name, tensor in self.tensors.items() if tensor.dtype != torch.bool]
        if wrong:
            raise ValueError(f"a mask holds booleans only, not so: {', '.join(wrong)}")

    @classmethod
    def dense(cls, parameters: Mapping[str, nn.Parameter]) -> "Mask":
        """The mask that keeps every weight of ``parameters``."""
        return cls(
            {
                name: torch.ones_like(parameter, dtype=torch.bool)
                for name, parameter in parameters.items()
            }
        )

    @cached_property
    def kept_counts(self) -> dict[str, int]:
        """Number of kept weights by layer."""
        return {name: int(tensor.sum()) for name, tensor in self.tensors.items()}

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Number of prunable weights by layer."""
        return {name: tensor.numel() for name, tensor in self.tensors.items()}

    @property
    def num_kept(self) -> int:
        """Number of kept weights in all."""
        return sum(self.kept_counts.values())

    @property
    def num_weights(self) -> int:
        """Number of prunable weights in all."""
        return sum(self.sizes.values())

    @property
    def density(self) -> float:
        """Kept / prunable weights."""
        return self.num_kept / self.num_weights

    @property
    def sparsity(self) -> float:
        """1 − density."""
        return 1.0 - self.density

    def is_nested_in(self, other: "Mask") -> bool:
        """Whether every weight kept here is kept in ``other``."""
        return all(
            not bool((tensor & ~other.tensors[name]).any())
            for name, tensor in self.tensors.items()
        )

    def overlap(self, previous: "Mask") -> dict[str, float]:
        """By layer: kept weights also in ``previous`` / kept weights (1 where none is kept)."""
        return {
            name: (
                int((tensor & previous.tensors[name]).sum()) / self.kept_counts[name]
                if self.kept_counts[name]
                else 1.0
            )
            for name, tensor in self.tensors.items()
        }

    def apply_(self, model: nn.Module) -> None:
        """Zero the pruned weights of ``model``, in place."""
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                parameters[name].mul_(tensor)
