"""Starts: with which weights, and under which mask, a megabatch begins."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from study.pruning.granularity.granularity import NetworkPruner
from study.pruning.mask import Mask
from study.registry import Registry

CONTINUE = "continue"


@dataclass(frozen=True)
class FirstModel:
    """The network after the first megabatch, as copies on its device.

    Attributes:
        model: Its ``state_dict``, in the shapes that ``mask`` left.
        mask: What it is under.
    """

    model: Mapping[str, Any]
    mask: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class StartContext:
    """A megabatch after the first, as it opens.

    Attributes:
        model: The network that is in service.
        mask: What it is under.
        pruner: Of the network.
        fresh_model: Makes a newly initialised network, complete, from a random stream that is
            named by the megabatch: the same each time.
        first: The network after the first megabatch, where the start asks for it.
    """

    model: nn.Module
    mask: Mask
    pruner: NetworkPruner
    fresh_model: Callable[[], nn.Module]
    first: FirstModel | None = None

    def fresh_under(self, mask: Mask) -> nn.Module:
        """A newly initialised network under ``mask``."""
        network = self.fresh_model()
        self.pruner.prune_(network, mask)
        return network


@dataclass(frozen=True)
class Start(ABC):
    """Plug-in: the weights that models after the first are trained from.

    Fields are its settings under ``training.``. The pruning event stands between two calls: it
    finds what :meth:`before_event` answers, scores and prunes that, and what
    :meth:`after_event` makes of it is trained. A network that is not the one in service gets an
    optimiser without momentum.
    """

    # Whether ``StartContext.first`` is needed.
    goes_back: ClassVar[bool] = False

    @property
    def restarts_mask(self) -> bool:
        """Whether each event prunes a complete network: masks are then not nested."""
        return False

    @property
    def refuses(self) -> Mapping[str, str]:
        """Settings that it leaves no room for, by dotted path, each with the reason."""
        return {}

    def before_event(self, context: StartContext) -> tuple[nn.Module, Mask]:
        """The network that the pruning event scores, and the mask that it is under."""
        return context.model, context.mask

    @abstractmethod
    def after_event(self, context: StartContext) -> nn.Module:
        """The network that is trained.

        Args:
            context: Its network and mask are what the pruning event left.
        """


STARTS: Registry[Start] = Registry("start of a megabatch")


@STARTS.register(CONTINUE)
@dataclass(frozen=True)
class Continue(Start):
    """From the weights that are in service, as the paper does; momentum stays as well."""

    def after_event(self, context: StartContext) -> nn.Module:
        """What is there."""
        return context.model


@STARTS.register("scratch")
@dataclass(frozen=True)
class Scratch(Start):
    """From newly initialised weights.

    Attributes:
        mask: ``keep`` prunes the network in service a little further, by scores of its trained
            weights, and initialises what is left anew; ``restart`` initialises a complete
            network, and prunes that to the megabatch's density by scores of its fresh weights.
    """

    mask: Literal["keep", "restart"] = "keep"

    @property
    def restarts_mask(self) -> bool:
        """With ``restart``."""
        return self.mask == "restart"

    @property
    def refuses(self) -> Mapping[str, str]:
        """With ``restart`` the reference code, whose events differ from the second one on."""
        if not self.restarts_mask:
            return {}
        return {
            "pruning.reference_compat": "it prunes otherwise from the second event on, and with "
            "training.mask: restart every event is a first one; leave it out, or take keep"
        }

    def before_event(self, context: StartContext) -> tuple[nn.Module, Mask]:
        """The complete network with ``restart``."""
        if self.restarts_mask:
            return context.fresh_model(), context.pruner.dense
        return context.model, context.mask

    def after_event(self, context: StartContext) -> nn.Module:
        """Fresh weights under the new mask."""
        return context.model if self.restarts_mask else context.fresh_under(context.mask)


@STARTS.register("shrink_perturb")
@dataclass(frozen=True)
class ShrinkPerturb(Start):
    """From λθ + σ·fresh (Ash & Adams 2020, arXiv 1910.08475), after the pruning event.

    All parameters, those of normalisation too; running statistics begin anew.

    Attributes:
        shrink: λ in [0, 1].
        perturb: σ ≥ 0, a multiple of a fresh initialisation.
    """

    shrink: float = 0.5
    perturb: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.shrink <= 1:
            raise ValueError(f"shrink must be from 0 to 1, got {self.shrink}")
        if not self.perturb >= 0:
            raise ValueError(f"perturb must be at least 0, got {self.perturb}")

    def after_event(self, context: StartContext) -> nn.Module:
        """Both networks are under the new mask, and so is their sum."""
        network = context.fresh_under(context.mask)
        trained = dict(context.model.named_parameters())
        with torch.no_grad():
            for name, fresh in network.named_parameters():
                fresh.mul_(self.perturb).add_(trained[name], alpha=self.shrink)
        return network


@STARTS.register("rewind")
@dataclass(frozen=True)
class Rewind(Start):
    """From the weights after the first megabatch, under the new mask (Frankle et al. 2020)."""

    goes_back: ClassVar[bool] = True

    def after_event(self, context: StartContext) -> nn.Module:
        """What was left then, without what has been pruned since."""
        assert context.first is not None
        then = Mask(dict(context.first.mask))
        network = context.fresh_under(then)
        network.load_state_dict(context.first.model, strict=True)
        context.pruner.prune_(network, context.mask, previous=then)
        return network
