"""The criterion plug-in point: how much each weight matters."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from study.pruning.channels.group_scores import GroupScore, group_scores
from study.pruning.channels.groups import ChannelGroups
from study.pruning.mask import Mask
from study.pruning.top_k import check_rankable
from study.registry import Registry

MiniBatches = Callable[[], Iterable[tuple[Tensor, Tensor]]]


@dataclass(frozen=True)
class ScoringContext:
    """What a criterion may look at. It changes none of it.

    Attributes:
        model: The trained network, its pruned weights zero, fp32.
        mask: The weights that are still there; its names are what is to be scored.
        minibatches: The saliency set, anew at each call: images ``[B, C, H, W]`` (normalised,
            unaugmented, on the model's device) and labels ``[B]``. The same order each time.
        image_shape: Channels, height, width, for criteria without data.
        num_classes: Number of logits.
        generator: CPU generator for criteria that draw, and for networks that do (dropout).
        fresh_model: Makes a newly initialised network of the same architecture on the same
            device; needed by the control ``reinitialised_scores`` and by ``reference_compat``.
    """

    model: nn.Module
    mask: Mask
    minibatches: MiniBatches
    image_shape: tuple[int, int, int]
    num_classes: int
    generator: torch.Generator
    fresh_model: Callable[[], nn.Module] | None = None


@dataclass(frozen=True)
class Criterion(ABC):
    """Plug-in: scores of the surviving weights. Fields are its settings under ``pruning.``."""

    # Whether it looks at the saliency set.
    needs_data: ClassVar[bool] = True
    # Whether scores may be negative: a norm over the weights of a channel would not rank those.
    signed: ClassVar[bool] = False
    # How often a round takes what it looks at forward and backward; one image without data.
    num_passes: ClassVar[int] = 1

    def num_scored(self, num_saliency: int) -> int:
        """Examples that one round takes forward and backward, of ``num_saliency`` to look at."""
        return self.num_passes * (num_saliency if self.needs_data else 1)

    @property
    def num_rounds(self) -> int:
        """Rounds of scoring and pruning that one pruning event takes (iterative criteria: > 1)."""
        return 1

    @abstractmethod
    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """A score for each weight in ``context.mask``, by name, fp32 or fp64, higher is kept.

        Scores of pruned weights are ignored. The model is left as it was: weights, buffers,
        gradients, training mode and torch's random state, bit for bit.

        Raises:
            ValueError: It does not apply to this network, with the reason.
        """

    def channel_scores(
        self, context: ScoringContext, *, groups: ChannelGroups, kept: Tensor, how: GroupScore
    ) -> Tensor:
        """A score for each channel group that is left, fp64 ``[num_groups]`` on the CPU.

        Args:
            context: Its model is the network as it is now, its mask keeps all of that.
            groups: Of the original network.
            kept: bool ``[num_groups]``: the groups that are left.
            how: How the :meth:`scores` of a group's weights make its own.

        Raises:
            TrialError: The scores rank nothing.
            ValueError: It does not apply to this network, or ``how`` not to these scores.
        """
        scores = self.scores(context)
        check_rankable(scores, context.mask.tensors, is_first=bool(kept.all()))
        return group_scores(groups, kept, scores, how)


@dataclass(frozen=True)
class IterativeCriterion(Criterion):
    """A criterion that scores and prunes in several rounds, densities falling geometrically.

    Attributes:
        rounds: Rounds in one pruning event, at least 1.
    """

    rounds: int = 1

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds must be at least 1, got {self.rounds}")

    @property
    def num_rounds(self) -> int:
        """``rounds``."""
        return self.rounds


CRITERIA: Registry[Criterion] = Registry("criterion")
