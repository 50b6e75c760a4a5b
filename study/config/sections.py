"""The sections of a trial's configuration: typed, strict, and open to the plug-ins' own fields."""

import dataclasses
import functools
import typing
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from study.config.problems import shown
from study.data.augmentation import Augmentation
from study.data.dataset import DATASETS
from study.data.replay import REPLAY_POLICIES
from study.models.architecture import ARCHITECTURES
from study.models.weights_file import WeightsFile, unpinned
from study.pruning.allocation import ALLOCATIONS
from study.pruning.granularity.granularity import DEFAULT, GRANULARITIES
from study.pruning.schedules import SCHEDULES, SPARSITY_BASE
from study.pruning.scoring import CRITERIA
from study.registry import Registry, hyperparameters
from study.training.kernels import KernelChoice
from study.training.learning_rates import LR_SCHEDULES, STEPS
from study.training.optimisers import OPTIMISERS, SGD
from study.training.starts import CONTINUE, STARTS

Fraction = Annotated[float, Field(ge=0, lt=1)]
Density = Annotated[float, Field(gt=0, le=1)]
MAX_SEED = 2**63 - 1
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


MAX_FLOPS = 9 * 10**18  # below 2⁶³, which tables of trials hold


def as_whole(value: Any) -> Any:
    """A float that is whole as an integer, since large numbers are written ``1e12``."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, pydantic.BeforeValidator(as_whole)]

ALL: Literal["all"] = "all"


def _arrivals(value: Any) -> Any:
    numbers = value if isinstance(value, tuple) else (None,)
    is_list = all(isinstance(k, int) and not isinstance(k, bool) and k >= 0 for k in numbers)
    if value != ALL and not is_list:
        raise ValueError(
            f"must be {ALL}, or a list of arrivals counted from 0 such as [0, 3, 8], got "
            f"{shown(value)}"
        )
    return value


# A union of its own making, so that what is wrong is said once.
_AnyArrivals = Literal["all"] | tuple[Annotated[int, Field(ge=0)], ...]
Arrivals = Annotated[
    Literal["all"] | tuple[int, ...],
    pydantic.PlainValidator(_arrivals, json_schema_input_type=_AnyArrivals),
]


class Strict(BaseModel):
    """Refuses unknown keys, wrong types, and numbers that are none."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=()
    )


class Section(Strict):
    """A section of a trial. The fields named in ``plugin_points`` hold plug-ins' names.

    The fields of the plug-ins chosen there are keys of the section too.
    """

    plugin_points: ClassVar[dict[str, Registry[Any]]] = {}

    @classmethod
    def choose(cls, raw: dict[str, Any]) -> dict[str, type]:
        """Plug-in point → class, as ``raw`` or the defaults name them; unknown names are left out.

        Raises nothing: :mod:`study.config.trial` reports what is unknown.
        """
        chosen = {}
        for point, registry in cls.plugin_points.items():
            name = raw.get(point, cls.model_fields[point].default)
            if isinstance(name, str) and name in registry:
                chosen[point] = registry.get(name)
        return chosen

    def plugin(self, point: str) -> Any:
        """The plug-in chosen at ``point``, with its settings from this section.

        Raises:
            ValueError: The plug-in refuses its settings.
        """
        cls = self.plugin_points[point].get(getattr(self, point))
        return cls(**{name: getattr(self, name) for name in hyperparameters(cls)})


class DataSection(Section):
    """Which images, and how they are split. All splits are functions of ``seed`` alone.

    Attributes:
        dataset: The data set.
        root: Folder with the data; else that of ``--data-root``, else that of APP_STUDY_DATA.
        seed: Of the splits.
        holdout_fraction: Share of the training images that is never trained on and that studies
            select on.
        test_fraction: Share that serves as test where the data set has none of its own.
        shots_per_class: So many training examples of each class are kept; null for all.
        arrivals: Files (``.npz``) or folders of images that come after the stream, one further
            megabatch each: absolute, or relative to ``root``. Of each only its name is part of
            what a trial is, not where it lies.
    """

    plugin_points = {"dataset": DATASETS}

    dataset: str = "digits"
    root: str | None = None
    seed: Seed = 0
    holdout_fraction: Fraction = 0.1
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    shots_per_class: Annotated[int, Field(ge=1)] | None = None
    arrivals: tuple[Annotated[str, Field(min_length=1)], ...] = ()

    @property
    def arrival_names(self) -> tuple[str, ...]:
        """What the arrivals are called, wherever they lie."""
        return tuple(PurePath(path).name for path in self.arrivals)


class StreamSection(Section):
    """How the data arrives, and which of what has arrived a megabatch trains on.

    Attributes:
        num_megabatches: T, the parts in which the training data arrives.
        validation_fraction: Last share of each megabatch, by which the best epoch is chosen.
        replay: Which of the parts that have arrived a megabatch trains on.
    """

    plugin_points = {"replay": REPLAY_POLICIES}

    num_megabatches: Annotated[int, Field(ge=1)] = 8
    validation_fraction: Fraction = 0.1
    replay: str = "full"


class ModelSection(Section):
    """The network, and the file with the weights that it begins from.

    Attributes:
        architecture: The network.
        weights: File that it begins from: safetensors, or a ``state_dict``; may be pinned,
            ``PATH#sha256=DIGEST``.
        weights_digest: Filled in from the file where it is not pinned: by it, and not by where it
            lies, a trial is what it is.
    """

    plugin_points = {"architecture": ARCHITECTURES}

    architecture: str = "convnet"
    weights: Annotated[str, Field(min_length=1)] | None = None
    weights_digest: str | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _unpinned(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping) or not isinstance(raw.get("weights"), str):
            return raw
        path, digest = unpinned(raw["weights"])
        return {**raw, "weights": path, "weights_digest": digest} if digest else raw

    @property
    def weights_file(self) -> WeightsFile | None:
        """The file; None without one."""
        if self.weights is None:
            return None
        return WeightsFile(Path(self.weights).expanduser().absolute(), self.weights_digest or "")

    def plain(self) -> dict[str, Any]:
        """What builds the network, wherever its weights come from."""
        weights = {"weights", "weights_digest"}
        return {k: v for k, v in self.model_dump().items() if k not in weights}


class PruningSection(Section):
    """How much is pruned, when, by which score, and how it is spread over the layers.

    Attributes:
        schedule: Which density the network has after each megabatch.
        criterion: By which score weights are kept.
        allocation: How the weights that are kept are spread over the layers.
        granularity: What falls at once: single weights, or whole channels.
        final_density: Share of the prunable weights that is left at the end of the stream.
        tau: The same as a power of 0.8, the paper's: final density = 0.8^tau.
        exclude: Layers to leave dense, by name or pattern such as ``layer1.*``.
        control: Whether scores are shuffled within layers, or those of new weights: controls that
            ask whether the choice of single weights matters.
        regrow: Share of the kept weights that is exchanged at each event.
        reference_compat: Do as the public reference code does, which misses its densities.
    """

    plugin_points = {
        "schedule": SCHEDULES,
        "criterion": CRITERIA,
        "allocation": ALLOCATIONS,
        "granularity": GRANULARITIES,
    }

    schedule: str = "app"
    criterion: str = "snip"
    allocation: str = "global"
    granularity: str = DEFAULT
    final_density: Density | None = None
    tau: Annotated[float, Field(gt=0)] | None = None
    exclude: tuple[str, ...] = ()
    control: Literal["none", "shuffle_within_layers", "reinitialised_scores"] = "none"
    regrow: Fraction = 0.0
    reference_compat: bool = False

    @property
    def target_density(self) -> float | None:
        """Density at the end of the stream, None for schedules that take no target."""
        return self.final_density if self.tau is None else float(SPARSITY_BASE**self.tau)


class SaliencySection(Section):
    """The examples that scores are computed on.

    Attributes:
        fraction: Share of what they are drawn from.
        source: All that the megabatch trains on, or its newest part alone.
        batch_size: Examples of a pass.
    """

    fraction: Annotated[float, Field(gt=0, le=1)] = 0.2
    source: Literal["replayed", "newest"] = "replayed"
    batch_size: Annotated[int, Field(ge=1)] = 100


class TrainingSection(Section):
    """How a megabatch is trained; the defaults are the paper's.

    Of ``epochs``, ``samples_per_model``, ``total_samples`` and ``total_flops`` exactly one is
    given.

    Attributes:
        start: What a megabatch after the first trains from.
        at: The arrivals after which a model is trained, counted from 0 such as [0, 3, 8], or all.
        epochs: Of each megabatch.
        samples_per_model: Examples of each megabatch, whatever there is to train on.
        total_samples: Examples of the trial, those that are scored included.
        total_flops: FLOPs of the trial, of which a network that gets smaller makes more examples.
        batch_size: Examples of a mini-batch.
        lr: Learning rate, with which every megabatch begins.
        optimizer: What takes the steps.
        lr_schedule: How the learning rate falls within a megabatch.
        warmup: Share of a megabatch's steps over which the learning rate rises to ``lr``.
        label_smoothing: Share of each target that is spread over all classes.
        clip_norm: Largest norm of a gradient; larger ones are scaled to it. Null for no limit.
        keep: Keep the epoch with the best validation accuracy, or the last.
        reset_optimizer: Forget momentum at the beginning of each megabatch.
        augment: How images are changed in training; null leaves it to the data set.
        precision: Of training and evaluation; auto is bf16 on GPUs that have it.
        device: Where trials are trained; auto is a GPU where there is one.
        compile: Train through ``torch.compile``.
        kernels: auto takes matrix products for small, deep convolutions in bf16 on CPUs with AMX;
            portable is torch's own kernels everywhere.
    """

    plugin_points = {"start": STARTS, "optimizer": OPTIMISERS, "lr_schedule": LR_SCHEDULES}

    start: str = CONTINUE
    at: Arrivals = ALL
    epochs: Annotated[int, Field(ge=1)] | None = None
    samples_per_model: Annotated[Whole, Field(ge=2)] | None = None
    total_samples: Annotated[Whole, Field(ge=2)] | None = None
    total_flops: Annotated[Whole, Field(ge=1, le=MAX_FLOPS)] | None = None
    batch_size: Annotated[int, Field(ge=2)] = 64
    lr: Annotated[float, Field(gt=0)] = 0.1
    optimizer: str = SGD
    lr_schedule: str = STEPS
    warmup: Fraction = 0.0
    label_smoothing: Fraction = 0.0
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    keep: Literal["best", "last"] = "best"
    reset_optimizer: bool = False
    augment: Augmentation | None = None
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compile: bool = False
    kernels: KernelChoice = "auto"


SECTIONS: dict[str, type[Section]] = {
    "data": DataSection,
    "stream": StreamSection,
    "model": ModelSection,
    "pruning": PruningSection,
    "saliency": SaliencySection,
    "training": TrainingSection,
}
TARGETS = ("final_density", "tau")
# How long a trial trains, of which exactly one is given.
LENGTHS = ("epochs", "samples_per_model", "total_samples", "total_flops")
# Budgets of a trial, by path.
TOTALS = ("training.total_samples", "training.total_flops")
# Whole numbers that may be written as floats, by path.
LARGE = (*TOTALS, "training.samples_per_model")


@functools.cache
def section_model(section: type[Section], plugins: tuple[type, ...]) -> type[Section]:
    """``section`` with the fields of the chosen plug-ins."""
    extra: dict[str, Any] = {}
    for plugin in plugins:
        hints = typing.get_type_hints(plugin)
        for name, field in hyperparameters(plugin).items():
            default = ... if field.default is dataclasses.MISSING else field.default
            extra[name] = (hints[name], default)
    if not extra:
        return section
    made: type[Section] = pydantic.create_model(section.__name__, __base__=section, **extra)
    return made


def owners(section: type[Section], field: str) -> dict[str, list[str]]:
    """Plug-in point → names of the plug-ins there that have ``field``; empty for base fields."""
    if field in section.model_fields:
        return {}
    found = {point: registry.owners(field) for point, registry in section.plugin_points.items()}
    return {point: names for point, names in found.items() if names}


def field_annotations(section: type[Section], field: str) -> list[Any]:
    """Every type that ``section.field`` may have, over all plug-ins; empty where unknown."""
    if field in section.model_fields:
        return [section.model_fields[field].annotation]
    return [
        typing.get_type_hints(section.plugin_points[point].get(name))[field]
        for point, names in owners(section, field).items()
        for name in names
    ]
