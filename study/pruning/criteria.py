"""Criteria that need no gradients."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from study.pruning.channels.group_scores import GroupScore
from study.pruning.channels.groups import ChannelGroups
from study.pruning.mask import named_weights
from study.pruning.scoring import CRITERIA, Criterion, ScoringContext


@CRITERIA.register("magnitude")
@dataclass(frozen=True)
class Magnitude(Criterion):
    """|w|: large weights stay. Iterated rounds would equal one."""

    needs_data: ClassVar[bool] = False
    num_passes: ClassVar[int] = 0

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """|w|."""
        weights = named_weights(context.model, context.mask.tensors)
        return {name: weight.detach().abs() for name, weight in weights.items()}


@CRITERIA.register("random")
@dataclass(frozen=True)
class Random(Criterion):
    """Uniform in [0, 1): the control that knows nothing."""

    needs_data: ClassVar[bool] = False
    num_passes: ClassVar[int] = 0

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """Uniform numbers from the context's generator, the same on every device."""
        # fp64: among 16 million fp32 numbers millions of weights would tie.
        return {
            name: torch.rand(tensor.shape, generator=context.generator, dtype=torch.float64).to(
                tensor.device
            )
            for name, tensor in context.mask.tensors.items()
        }

    def channel_scores(
        self,
        context: ScoringContext,
        *,
        groups: ChannelGroups,
        kept: Tensor,  # noqa: ARG002  # what fell before is drawn for too, and ignored
        how: GroupScore,  # noqa: ARG002  # there is nothing to be put together
    ) -> Tensor:
        """One number for each group: a mean of many would rank groups by their sizes."""
        return torch.rand(groups.num_groups, generator=context.generator, dtype=torch.float64)
