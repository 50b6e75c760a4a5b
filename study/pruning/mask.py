"""Masks: which weights are kept. Immutable values; 1 (True) means kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn


def named_weights(model: nn.Module, names: Iterable[str]) -> dict[str, nn.Parameter]:
    """The parameters of ``model`` called ``names``, in that order; tied ones by any name."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return {name: parameters[name] for name in names}


@dataclass(frozen=True, eq=False)
class Mask:
    """A boolean tensor for each prunable parameter, by parameter name, shaped like it.

    The tensors are on the model's device. ``dict(mask.tensors)`` is what a checkpoint holds, and
    ``Mask(...)`` of it is an equal mask.
    """

    tensors: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        wrong = [name for name, tensor in self.tensors.items() if tensor.dtype != torch.bool]
        if wrong:
            raise ValueError(f"a mask holds booleans only, not so: {', '.join(wrong)}")

    @classmethod
    def dense(cls, parameters: Mapping[str, Tensor]) -> "Mask":
        """The mask that keeps every weight of ``parameters``."""
        return cls(
            {
                name: torch.ones_like(parameter, dtype=torch.bool)
                for name, parameter in parameters.items()
            }
        )

    def __eq__(self, other: object) -> bool:
        """Whether both keep the same weights of the same layers in the same order."""
        if not isinstance(other, Mask):
            return NotImplemented
        return list(self.tensors) == list(other.tensors) and all(
            torch.equal(tensor, other.tensors[name]) for name, tensor in self.tensors.items()
        )

    # Tensors have no hash that goes with their values.
    __hash__ = None  # type: ignore[assignment]  # how Python spells "not hashable"

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
    def is_dense(self) -> bool:
        """Whether every weight is kept."""
        return self.num_kept == self.num_weights

    @property
    def density(self) -> float:
        """Kept / prunable weights."""
        return self.num_kept / self.num_weights

    @property
    def sparsity(self) -> float:
        """1 − density."""
        return 1.0 - self.density

    @property
    def layer_densities(self) -> dict[str, float]:
        """Kept / prunable weights by layer."""
        return {name: count / self.sizes[name] for name, count in self.kept_counts.items()}

    def is_nested_in(self, other: "Mask") -> bool:
        """Whether every weight kept here is kept in ``other``."""
        return not self.revived(other)

    def revived(self, previous: "Mask") -> dict[str, int]:
        """By layer: weights kept here but not in ``previous``; layers without any left out."""
        counts = {
            name: int((tensor & ~previous.tensors[name]).sum())
            for name, tensor in self.tensors.items()
        }
        return {name: count for name, count in counts.items() if count}

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

    def __and__(self, other: "Mask") -> "Mask":
        """The weights kept in both."""
        return Mask({name: tensor & other.tensors[name] for name, tensor in self.tensors.items()})

    def __or__(self, other: "Mask") -> "Mask":
        """The weights kept in either."""
        return Mask({name: tensor | other.tensors[name] for name, tensor in self.tensors.items()})

    def to(self, device: torch.device | str) -> "Mask":
        """The same mask on ``device``."""
        return Mask({name: tensor.to(device) for name, tensor in self.tensors.items()})

    def apply_(self, model: nn.Module) -> None:
        """Zero the pruned weights of ``model``, in place, whatever they were."""
        with torch.no_grad():
            for name, weight in named_weights(model, self.tensors).items():
                # Not a product: infinity times zero is no zero.
                weight.masked_fill_(~self.tensors[name], 0.0)
