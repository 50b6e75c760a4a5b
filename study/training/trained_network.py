"""The network that a learner trains: its weights, mask and optimiser, and what it costs."""

from collections.abc import Callable

import torch
from torch import nn

from study.models.flops import layer_flops
from study.models.shapes import ImageShape
from study.pruning.mask import Mask
from study.training.generators import global_seed
from study.training.kernels import compiled
from study.training.precision import memory_format
from study.training.specs import LearnerSpec
from study.training.starts import FirstModel, StartContext


class TrainedNetwork:
    """A network from its initialisation on, as pruning events and starts change it.

    Args:
        build_model: Makes a fresh network from torch's global generator, on the CPU.
        spec: The method.
        image_shape: Channels, height and width.
        device: Where the network lives.

    Attributes:
        model: As it is now; a start may put another in its place.
        mask: What it is under, in the shapes of the network as it was built.
        optimiser: Of ``model``.
        forward: What trains it where that is compiled; else None.
        pruner: How it is pruned.
        flops: Of ``model``.
        dense_flops: Of the network as it was built.
        num_parameters: Of the network as it was built.

    Raises:
        ValueError: The network cannot be pruned as the method says.
    """

    def __init__(
        self,
        build_model: Callable[[], nn.Module],
        spec: LearnerSpec,
        image_shape: ImageShape,
        device: torch.device,
    ) -> None:
        self._build_model = build_model
        self._spec = spec
        self._image_shape = image_shape
        self._device = device
        self._use(self._first())
        self.pruner = spec.pruning.granularity.pruner(
            self.model, image_shape, exclude=spec.pruning.exclude
        )
        self.mask = self.pruner.dense
        self.flops = self.dense_flops = layer_flops(self.model, image_shape)
        self.num_parameters = _num_parameters(self.model)

    def fresh(self, *name: str | int) -> nn.Module:
        """A newly initialised network on the device, drawn from the random stream ``name``.

        With weights from a file it has these, and a classifier that is drawn anew.
        """
        model = self._built(name)
        if self._spec.weights is not None:
            self._spec.weights.load_(model, with_classifier=False)
        return self._placed(model)

    def without_weights(self, *name: str | int) -> nn.Module:
        """As :meth:`fresh`, and of nothing that was learned before, from a file neither."""
        return self._placed(self._built(name))

    def _first(self) -> nn.Module:
        model = self._built(("initialisation",))
        if self._spec.weights is not None:
            self._spec.weights.load_(model, with_classifier=True)
        return self._placed(model)

    def _built(self, name: tuple[str | int, ...]) -> nn.Module:
        with global_seed(self._device, self._spec.seed, *name):
            return self._build_model()

    def _placed(self, model: nn.Module) -> nn.Module:
        layout = memory_format(self._spec.training.precision, self._device)
        return model.to(self._device).to(memory_format=layout)

    def begin_at_(self, megabatch_index: int) -> None:
        """Initialise it anew where the first model is trained after a later arrival.

        By the random stream that a start has then, so that the two are one network.

        Args:
            megabatch_index: 0-based, above 0.
        """
        self._use(self.fresh("start", megabatch_index))

    def before_event_(self, megabatch_index: int, first: FirstModel | None) -> bool:
        """Make of it what the pruning event of a megabatch after the first is to find.

        Args:
            megabatch_index: 0-based.
            first: The network after the first megabatch, where the start goes back to it.

        Returns:
            Whether it is complete again.
        """
        start = self._spec.training.start
        model, mask = start.before_event(self._context(megabatch_index, first))
        if model is self.model:
            return False
        self._use(model)
        self.mask, self.flops = mask, self.dense_flops
        return True

    def after_event_(self, megabatch_index: int, first: FirstModel | None) -> None:
        """Make of it what such a megabatch trains from."""
        model = self._spec.training.start.after_event(self._context(megabatch_index, first))
        if model is not self.model:
            self._use(model)

    def prune_(self, mask: Mask) -> None:
        """Bring it from its mask to ``mask``; the momentum of what stays does too."""
        size = _num_parameters(self.model)
        self.pruner.prune_(self.model, mask, previous=self.mask, optimiser=self.optimiser)
        self.mask = mask
        if _num_parameters(self.model) != size:
            self.flops = layer_flops(self.model, self._image_shape)

    def reset_optimiser_(self) -> None:
        """Forget all momentum."""
        self.optimiser = self._spec.training.optimiser.build(self.model)

    def _use(self, model: nn.Module) -> None:
        self.model = model
        self.forward = compiled(model) if self._spec.training.compile else None
        self.reset_optimiser_()

    def _context(self, megabatch_index: int, first: FirstModel | None) -> StartContext:
        return StartContext(
            self.model,
            self.mask,
            self.pruner,
            fresh_model=lambda: self.fresh("start", megabatch_index),
            first=first,
        )


def _num_parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
