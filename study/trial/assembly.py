"""From a trial's configuration to a learner: the one place where names become objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from study.config.trial import TrialConfig
from study.data.augmentation import Augmentation
from study.data.batches import ImagePool
from study.data.dataset import ImageDataset
from study.data.splits import Splits, make_splits
from study.data.stream import Megabatch, cut_stream, with_arrivals, with_waiting
from study.pruning.granularity.granularity import Granularity, NetworkPruner
from study.pruning.prunable import prunable_parameters
from study.pruning.prune import PruningMethod
from study.pruning.schedules import PruningEvent, PruningSchedule
from study.training.anytime import AnytimeLearner
from study.training.budget import Budget, budget_of
from study.training.kernels import require_compiler, resolve_kernels
from study.training.optimiser import OptimiserSpec
from study.training.precision import resolve_device, resolve_precision
from study.training.specs import (
    LearnerSpec,
    Measure,
    PruningSpec,
    TaskData,
    TrainingSpec,
    measure_nothing,
)
from study.training.training_plan import planned_scoring
from study.trial.meta_network import meta_model


def split(trial: TrialConfig, dataset: ImageDataset) -> Splits:
    """The trial's holdout, test and stream."""
    return make_splits(
        dataset,
        seed=trial.data.seed,
        holdout_fraction=trial.data.holdout_fraction,
        test_fraction=trial.data.test_fraction,
        shots_per_class=trial.data.shots_per_class,
    )


def stream(trial: TrialConfig, splits: Splits) -> tuple[Megabatch, ...]:
    """The trial's megabatches, and after them what arrives later.

    Raises:
        DataError: There are more megabatches than examples.
    """
    validation_fraction = trial.stream.validation_fraction
    planned = cut_stream(
        splits.stream,
        trial.stream.num_megabatches,
        validation_fraction=validation_fraction,
    )
    if not isinstance(trial.training.at, str):
        planned = with_waiting(planned, trial.training.at)
    return with_arrivals(planned, splits.arrivals, validation_fraction=validation_fraction)


def scored_examples(
    trial: TrialConfig, megabatches: Sequence[Megabatch], sizes: Sequence[int], *, num_weights: int
) -> list[int]:
    """Examples that each megabatch scores ``num_weights`` on: see :func:`planned_scoring`.

    ``sizes`` are how many examples each trains on, replay included.
    """
    return planned_scoring(
        pruning_spec(trial),
        megabatches,
        sizes,
        num_weights=num_weights,
        restarts_mask=trial.training.plugin("start").restarts_mask,
        num_arrivals=len(megabatches) - trial.stream.num_megabatches,
    )


def training_budget(trial: TrialConfig, sizes: Sequence[int]) -> Budget | None:
    """What a trial's training may cost in all; None where it trains by epochs.

    ``sizes`` are how many examples each megabatch trains on, replay included.
    """
    return budget_of(
        sizes,
        num_scheduled=trial.stream.num_megabatches,
        total_samples=trial.training.total_samples,
        total_flops=trial.training.total_flops,
    )


def build_model(trial: TrialConfig, dataset: ImageDataset) -> nn.Module:
    """A fresh network for the data set, from torch's global generator."""
    network: nn.Module = trial.model.plugin("architecture").build(
        dataset.image_shape, dataset.num_classes
    )
    return network


def network_pruner(trial: TrialConfig, dataset: ImageDataset, model: nn.Module) -> NetworkPruner:
    """How the trial's network, as it was built, is pruned.

    Raises:
        ValueError: It cannot be pruned so.
    """
    granularity: Granularity = trial.pruning.plugin("granularity")
    return granularity.pruner(model, dataset.image_shape, exclude=trial.pruning.exclude)


def known_density(trial: TrialConfig) -> float | None:
    """Density asked of the last model, where it follows from the configuration alone."""
    schedule, target = _schedule(trial), trial.pruning.target_density
    planned = schedule.final_density(_num_pruned(trial), target)
    at, num_megabatches = trial.training.at, trial.stream.num_megabatches
    if planned is None or isinstance(at, str) or trial.data.arrivals:
        return planned
    # Where the last ones wait, the schedule has not come to its end.
    return schedule.density(PruningEvent(at[-1] + 1, num_megabatches, target))


def exact_density(trial: TrialConfig) -> float | None:
    """Density of the last model, where the configuration alone says it exactly."""
    pruning, asked = trial.pruning, known_density(trial)
    is_met = pruning.plugin("granularity").is_exact and not pruning.reference_compat
    return asked if is_met or asked == 1.0 else None


def lowest_density(trial: TrialConfig) -> float | None:
    """The lowest density that the trial may come to; None where the schedule knows of none."""
    return _schedule(trial).lowest_density(_num_pruned(trial), trial.pruning.target_density)


def _schedule(trial: TrialConfig) -> PruningSchedule:
    schedule: PruningSchedule = trial.pruning.plugin("schedule")
    return schedule


def _num_pruned(trial: TrialConfig) -> int:
    """Megabatches over which the density falls."""
    return trial.num_megabatches if _schedule(trial).goes_on else trial.stream.num_megabatches


def assemble(
    trial: TrialConfig,
    dataset: ImageDataset,
    *,
    service_after: float = 1.0,
    measure: Measure = measure_nothing,
) -> AnytimeLearner:
    """The learner of a trial.

    Args:
        trial: Its configuration.
        dataset: The loaded data set; never written to.
        service_after: h of the service error.
        measure: What is measured of its networks as they go into service.

    Raises:
        ValueError: The settings do not fit the data or the machine.
    """
    device = resolve_device(trial.training.device)
    return AnytimeLearner(
        task_data(trial, dataset, device),
        lambda: build_model(trial, dataset),
        LearnerSpec(
            replay=trial.stream.plugin("replay"),
            pruning=pruning_spec(trial),
            training=_training_spec(trial, dataset, device),
            seed=trial.seed,
            service_after=service_after,
            identity=trial.key(),
            predecessors=tuple(earlier.key() for earlier in trial.predecessors()),
            weights=trial.model.weights_file,
        ),
        device,
        measure,
    )


def task_data(trial: TrialConfig, dataset: ImageDataset, device: torch.device) -> TaskData:
    """Pools and stream of a trial on ``device``."""
    splits = split(trial, dataset)
    train_pool = ImagePool(
        dataset.train_images, dataset.train_labels, mean=dataset.mean, std=dataset.std,
        device=device,
    )  # fmt: skip
    test_pool = train_pool
    if splits.test_is_separate:
        assert dataset.test_images is not None
        assert dataset.test_labels is not None
        test_pool = ImagePool(
            dataset.test_images, dataset.test_labels, mean=dataset.mean, std=dataset.std,
            device=device,
        )  # fmt: skip
    return TaskData(
        train_images=train_pool,
        test_images=test_pool,
        megabatches=stream(trial, splits),
        holdout=splits.holdout,
        test=splits.test,
        image_shape=dataset.image_shape,
        num_classes=dataset.num_classes,
        num_arrivals=len(splits.arrivals),
    )


def pruning_spec(trial: TrialConfig) -> PruningSpec:
    """What a trial prunes, and by what."""
    pruning = trial.pruning
    return PruningSpec(
        schedule=pruning.plugin("schedule"),
        granularity=pruning.plugin("granularity"),
        target_density=pruning.target_density,
        method=PruningMethod(
            criterion=pruning.plugin("criterion"),
            allocation=pruning.plugin("allocation"),
            control=pruning.control,
            reference_compat=pruning.reference_compat,
        ),
        exclude=pruning.exclude,
        regrow=pruning.regrow,
        saliency_fraction=trial.saliency.fraction,
        saliency_source=trial.saliency.source,
        saliency_batch_size=trial.saliency.batch_size,
    )


def augmentation(trial: TrialConfig, dataset: ImageDataset) -> Augmentation:
    """What a trial augments its images by, its own choice or the data set's."""
    usual: Augmentation = "crop_and_flip" if dataset.crop_and_flip else "none"
    return usual if trial.training.augment is None else trial.training.augment


def _training_spec(
    trial: TrialConfig, dataset: ImageDataset, device: torch.device
) -> TrainingSpec:
    training = trial.training
    precision = resolve_precision(training.precision, device)
    if training.compile:
        require_compiler(device)
    return TrainingSpec(
        start=training.plugin("start"),
        optimiser=OptimiserSpec(
            lr=training.lr,
            optimiser=training.plugin("optimizer"),
            schedule=training.plugin("lr_schedule"),
            warmup=training.warmup,
            label_smoothing=training.label_smoothing,
            clip_norm=training.clip_norm,
        ),
        epochs=training.epochs,
        samples_per_model=training.samples_per_model,
        total_samples=training.total_samples,
        total_flops=training.total_flops,
        batch_size=training.batch_size,
        keep=training.keep,
        reset_optimizer=training.reset_optimizer,
        augment=augmentation(trial, dataset),
        precision=precision,
        kernels=resolve_kernels(training.kernels, precision, device),
        compile=training.compile,
    )


def facts(trial: TrialConfig, dataset: ImageDataset) -> Mapping[str, Any]:
    """What the configuration does not hold: sizes of data and network, and what it left open."""
    splits = split(trial, dataset)
    model = meta_model(trial, dataset)
    prunable = prunable_parameters(model, exclude=trial.pruning.exclude)
    return {
        "data.holdout_size": len(splits.holdout),
        "data.test_size": len(splits.test),
        "data.stream_size": len(splits.stream),
        "data.num_classes": dataset.num_classes,
        "training.augment": augmentation(trial, dataset),
        "model.num_parameters": sum(p.numel() for p in model.parameters()),
        "model.num_prunable": sum(p.numel() for p in prunable.values()),
    }
