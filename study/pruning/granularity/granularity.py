"""The granularity plug-in point: what falls at once, and how a network follows."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from study.models.shapes import ImageShape
from study.pruning.allocation import Allocation
from study.pruning.mask import Mask
from study.pruning.prune import PruningDecision, PruningMethod
from study.pruning.scoring import Criterion, ScoringContext
from study.registry import Registry

DEFAULT = "weight"


class NetworkPruner(ABC):
    """How one network is pruned. Made once from the network as it was built; nothing changes it.

    All masks are in the coordinates of that network, whatever has been cut off since.

    Attributes:
        dense: The mask that keeps everything, on the network's device.
    """

    dense: Mask

    @property
    @abstractmethod
    def fewest(self) -> int:
        """The fewest weights that an event may be asked to keep."""

    @property
    @abstractmethod
    def fewest_are(self) -> str:
        """What those are, in words: ``one weight in each of its 3 layers``."""

    @abstractmethod
    def decide(
        self,
        context: ScoringContext,
        *,
        method: PruningMethod,
        density: float,
        asked_before: float,
    ) -> PruningDecision:
        """What stays; the network stays as it is.

        Args:
            context: The network as it is now, and the mask that it is under.
            method: How to choose.
            density: d in (0, 1], of all prunable weights of the network as it was built.
            asked_before: What the event before asked for; 1 at the first.

        Raises:
            TrialError: Scores are not finite or all 0, or the schedule rises.
            ValueError: The criterion does not apply to the network.
        """

    @abstractmethod
    def check_mask(
        self, mask: Mask, *, previous: Mask, density: float, nested: bool = True
    ) -> None:
        """Check what must hold after an event.

        Args:
            mask: After it.
            previous: Before it.
            density: What the schedule asked for.
            nested: Whether nothing may have come back.

        Raises:
            TrialError: With what is broken.
        """

    @abstractmethod
    def effective_counts(self, mask: Mask) -> dict[str, int] | None:
        """By layer: kept weights on some path from the images to the logits; None if unknown."""

    @abstractmethod
    def prune_(
        self,
        model: nn.Module,
        mask: Mask,
        *,
        previous: Mask | None = None,
        optimiser: torch.optim.Optimizer | None = None,
    ) -> None:
        """Bring a network from one mask to another, in place, and its optimiser with it.

        From the dense mask this makes of a network that was just built one that takes the
        ``state_dict`` of any network under ``mask``.

        Args:
            model: Under ``previous``.
            mask: Of the network afterwards.
            previous: The dense mask if left out.
            optimiser: The momentum of what is gone is gone too.
        """

    @abstractmethod
    def held(self, mask: Mask) -> Mask:
        """The mask that keeps pruned weights of the network at zero, in its shapes as it is now.

        Layers that have nothing to hold may be left out.
        """

    @abstractmethod
    def check_network(self, model: nn.Module, mask: Mask) -> None:
        """Check that the network is what ``mask`` says.

        Raises:
            TrialError: With the layers that are not.
        """


@dataclass(frozen=True)
class Granularity(ABC):
    """Plug-in: what falls at a pruning event. Fields are its settings under ``pruning.``."""

    # Whether a pruned network has the shapes that it was built with.
    keeps_shapes: ClassVar[bool] = True
    # Whether exactly as many weights stay as are asked for.
    is_exact: ClassVar[bool] = False
    # Settings that it leaves no room for, by dotted path, each with the reason.
    refuses: ClassVar[Mapping[str, str]] = {}

    def check_method(self, criterion: Criterion, allocation: Allocation) -> None:  # noqa: B027  # most take all
        """Whether scores of this criterion, and counts of this allocation, can be used.

        Raises:
            ValueError: They cannot; begins with the setting that is in the way.
        """

    @abstractmethod
    def pruner(
        self, model: nn.Module, image_shape: ImageShape, *, exclude: Sequence[str] = ()
    ) -> NetworkPruner:
        """How ``model`` is pruned.

        Args:
            model: As it was built, be it on the meta device; left as it is.
            image_shape: Channels, height and width.
            exclude: Patterns of layers to leave dense.

        Raises:
            ValueError: The network cannot be pruned so, with the reason; or a pattern matches
                nothing.
        """


GRANULARITIES: Registry[Granularity] = Registry("pruning granularity")
