"""What a trial is made of, apart from its network: data, pruning, training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from torch import nn

from study.data.augmentation import Augmentation
from study.data.batches import ImagePool
from study.data.dataset import IndexArray
from study.data.replay import ReplayPolicy
from study.data.stream import Megabatch
from study.models.weights_file import WeightsFile
from study.pruning.granularity.granularity import Granularity
from study.pruning.mask import Mask
from study.pruning.prune import PruningMethod
from study.pruning.schedules import PruningSchedule
from study.training.kernels import PORTABLE, Kernels
from study.training.optimiser import OptimiserSpec
from study.training.starts import Start


@dataclass(frozen=True)
class TaskData:
    """The data of a trial: pools of images, and which of them arrive when.

    ``holdout`` and the megabatches index ``train_images``; ``test`` indexes ``test_images``. The
    last ``num_arrivals`` of the megabatches came after the stream was whole.
    """

    train_images: ImagePool
    test_images: ImagePool
    megabatches: tuple[Megabatch, ...]
    holdout: IndexArray
    test: IndexArray
    image_shape: tuple[int, int, int]
    num_classes: int
    num_arrivals: int = 0

    @property
    def num_scheduled(self) -> int:
        """T: the megabatches that the pruning schedule and a budget of training were made for."""
        return len(self.megabatches) - self.num_arrivals


@dataclass(frozen=True)
class PruningSpec:
    """What is pruned at the opening of each megabatch.

    Attributes:
        granularity: What falls at once.
        target_density: Density at the end of the stream, for schedules that take one.
        exclude: Patterns of layers to leave dense.
        regrow: Fraction of the kept weights that is swapped at each event.
        saliency_fraction: Part of the examples that scores are computed on.
        saliency_source: ``replayed`` draws them from all that the megabatch trains on, ``newest``
            from its own part alone.
    """

    schedule: PruningSchedule
    granularity: Granularity
    target_density: float | None
    method: PruningMethod
    exclude: tuple[str, ...] = ()
    regrow: float = 0.0
    saliency_fraction: float = 0.2
    saliency_source: Literal["replayed", "newest"] = "replayed"
    saliency_batch_size: int = 100


@dataclass(frozen=True)
class TrainingSpec:
    """How a megabatch is trained, and how long.

    By one of ``epochs`` and ``samples_per_model``, of each megabatch, ``total_samples`` and
    ``total_flops``, of the trial. ``start`` says what a megabatch trains from. ``compile`` trains
    through ``torch.compile``; evaluation and scores never do. By ``kernels`` convolutions run in
    training and evaluation; scores are always by the portable ones.
    """

    start: Start
    optimiser: OptimiserSpec
    epochs: int | None
    samples_per_model: int | None
    total_samples: int | None
    total_flops: int | None
    batch_size: int
    keep: Literal["best", "last"]
    reset_optimizer: bool
    augment: Augmentation
    precision: Literal["fp32", "bf16"]
    compile: bool = False
    kernels: Kernels = PORTABLE

    @property
    def is_by_budget(self) -> bool:
        """Whether the trial has a budget that its megabatches share."""
        return self.total_samples is not None or self.total_flops is not None


@dataclass(frozen=True)
class LearnerSpec:
    """Everything about a trial but its data and its network.

    ``weights`` is what the network begins from, where that is not nothing; ``identity`` names
    the trial in its checkpoints, ``predecessors`` the trials that it goes on from where theirs
    are given; ``service_after`` is the h of the service error.
    """

    replay: ReplayPolicy
    pruning: PruningSpec
    training: TrainingSpec
    seed: int
    service_after: float
    identity: str
    predecessors: tuple[str, ...] = ()
    weights: WeightsFile | None = None


@dataclass(frozen=True)
class Measured:
    """What was measured of a network, and with what: runtime, threads and processor."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    conditions: str = ""


class Measure(Protocol):
    """Measures the network that goes into service, which stays as it is; draws nothing."""

    def __call__(self, network: nn.Module, mask: Mask, *, is_last: bool) -> Measured:
        """Its metrics; ``is_last`` where the stream has ended."""


NOTHING_MEASURED = Measured()


def measure_nothing(network: nn.Module, mask: Mask, *, is_last: bool) -> Measured:  # noqa: ARG001  # the protocol's
    """No metrics, at no cost."""
    return NOTHING_MEASURED
