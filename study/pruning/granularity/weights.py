"""Single weights: a pruned one is zero, and the network keeps its shapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from study.models.shapes import ImageShape, on_meta
from study.pruning.channels.effective import effective_counts
from study.pruning.granularity.granularity import (
    DEFAULT,
    GRANULARITIES,
    Granularity,
    NetworkPruner,
)
from study.pruning.ledger import check_mask, check_weights
from study.pruning.mask import Mask, named_weights
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import PruningDecision, PruningMethod, prune
from study.pruning.scoring import ScoringContext
from study.text import count


@GRANULARITIES.register(DEFAULT)
@dataclass(frozen=True)
class Weights(Granularity):
    """Single weights are set to zero, exactly as many as asked for; tensors keep their shapes."""

    is_exact: ClassVar[bool] = True

    def pruner(
        self, model: nn.Module, image_shape: ImageShape, *, exclude: Sequence[str] = ()
    ) -> NetworkPruner:
        """Any network with prunable weights."""
        dense = Mask.dense(prunable_parameters(model, exclude=exclude))
        return _WeightPruner(dense, on_meta(model), image_shape)


@dataclass(frozen=True)
class _WeightPruner(NetworkPruner):
    dense: Mask
    network: nn.Module
    image_shape: ImageShape

    @property
    def fewest(self) -> int:
        """One a layer."""
        return len(self.dense.tensors)

    @property
    def fewest_are(self) -> str:
        """One a layer."""
        return f"one weight in each of its {count(self.fewest, 'layer')}"

    def decide(
        self,
        context: ScoringContext,
        *,
        method: PruningMethod,
        density: float,
        asked_before: float,  # noqa: ARG002  # counts are exact, so that the mask tells
    ) -> PruningDecision:
        """Exactly K weights."""
        return prune(context, method=method, density=density)

    def check_mask(
        self, mask: Mask, *, previous: Mask, density: float, nested: bool = True
    ) -> None:
        """Exactly K weights, nested."""
        check_mask(mask, previous=previous, density=density, nested=nested)

    def effective_counts(self, mask: Mask) -> dict[str, int] | None:
        """On the traced graph."""
        return effective_counts(self.network, mask.tensors, self.image_shape)

    def prune_(
        self,
        model: nn.Module,
        mask: Mask,
        *,
        previous: Mask | None = None,
        optimiser: torch.optim.Optimizer | None = None,
    ) -> None:
        """Zero what is pruned."""
        mask.apply_(model)
        if optimiser is not None:
            # A weight that comes back brings nothing that was gathered while it was pruned.
            stayed = mask if previous is None else mask & previous
            forget_pruned_(optimiser, model, stayed)

    def held(self, mask: Mask) -> Mask:
        """All of it: the network has the shapes that it always had."""
        return mask

    def check_network(self, model: nn.Module, mask: Mask) -> None:
        """Pruned weights are zero."""
        check_weights(model, mask)


def forget_pruned_(optimiser: torch.optim.Optimizer, model: nn.Module, mask: Mask) -> None:
    """Zero what is remembered of weights that ``mask`` does not keep: momentum, moments."""
    with torch.no_grad():
        for name, weight in named_weights(model, mask.tensors).items():
            for remembered in optimiser.state.get(weight, {}).values():
                if isinstance(remembered, torch.Tensor) and remembered.shape == weight.shape:
                    remembered.masked_fill_(~mask.tensors[name], 0.0)
