"""The numbers of a megabatch, and those of the trial at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn

from study import metrics as arithmetic
from study.example_errors import ExampleErrors
from study.models.flops import (
    TRAINING_PER_FORWARD,
    FlopCount,
    model_bytes,
    sparse_bytes,
    sparse_training_flops,
    training_flops,
)
from study.pruning.mask import Mask
from study.results import EpochRecord, LayerDensity, MegabatchRecord, TrialHistory

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class ServiceTerms:
    """What turns error rates into service: T, the error of a guess, h, and the split sizes."""

    num_megabatches: int
    chance: float
    service_after: float
    split_sizes: Mapping[str, int]


def example_errors(wrong: Tensor) -> ExampleErrors:
    """Outcomes by example of booleans ``[examples]``."""
    return ExampleErrors(len(wrong), np.packbits(wrong.cpu().numpy()).tobytes())


def accuracy_metrics(error_rates: Mapping[str, float], kept: EpochRecord) -> dict[str, float]:
    """Error rate and accuracy of each split, and the gaps between them.

    Args:
        error_rates: By split; those of ``train`` without augmentation, in evaluation mode.
        kept: The epoch that was kept, for the gap of the paper.
    """
    rates = dict(error_rates)
    validation_accuracy = kept.metrics.get("validation_accuracy")
    if validation_accuracy is not None:
        rates["validation"] = 1.0 - validation_accuracy
    made = {f"{split}_error_rate": rate for split, rate in rates.items()}
    made |= {f"{split}_accuracy": 1.0 - rate for split, rate in rates.items()}
    if validation_accuracy is not None:
        made["generalization_gap"] = kept.metrics["train_accuracy"] - validation_accuracy
    if "test" in rates:
        made["test_generalization_gap"] = rates["test"] - rates["train"]
    return made


def density_metrics(
    model: nn.Module, mask: Mask, layers: Sequence[LayerDensity]
) -> dict[str, float]:
    """Densities of the network in service; ``effective_density`` only where it can be found."""
    num_parameters = sum(p.numel() for p in model.parameters())
    num_pruned = mask.num_weights - mask.num_kept
    shared = sum(layer.mask_overlap * layer.num_kept for layer in layers)
    made = {
        "density": mask.density,
        "sparsity": mask.sparsity,
        "model_density": (num_parameters - num_pruned) / num_parameters,
        "mask_overlap": shared / mask.num_kept if mask.num_kept else 1.0,
    }
    effective = [layer.effective_density for layer in layers]
    known = [e for e in effective if e is not None]
    if layers and len(known) == len(layers):
        alive = sum(e * layer.num_weights for e, layer in zip(known, layers, strict=True))
        made["effective_density"] = alive / mask.num_weights
    return made


def size_metrics(
    model: nn.Module, mask: Mask, flops: FlopCount, layers: Sequence[LayerDensity]
) -> dict[str, float]:
    """Work and memory of the network in service: for one image, and as a file."""
    densities = {layer.layer: layer.density for layer in layers}
    return {
        "forward_flops": float(flops.forward),
        "forward_flops_sparse": sparse_training_flops(flops, 1, densities) / TRAINING_PER_FORWARD,
        "model_bytes": float(model_bytes(model)),
        "sparse_bytes": float(sparse_bytes(model, mask.kept_counts)),
    }


def with_flops(layers: Sequence[LayerDensity], flops: FlopCount) -> tuple[LayerDensity, ...]:
    """The ledger's lines with the forward FLOPs of each layer."""
    by_layer = flops.by_parameter
    return tuple(replace(line, forward_flops=by_layer.get(line.layer, 0)) for line in layers)


def cost_metrics(
    flops: FlopCount,
    layers: Sequence[LayerDensity],
    *,
    earlier: Metrics,
    samples_seen: int,
    samples_scored: int,
    seconds: float,
) -> dict[str, float]:
    """What the stream has cost so far, and the speed of this megabatch.

    Args:
        flops: Of the network, dense.
        layers: The ledger, for its densities.
        earlier: Metrics of the megabatch before; empty for the first.
        samples_seen: Examples forward and backward through the network so far.
        samples_scored: Of these, those that weights were scored on: on the dense network.
        seconds: Wall time of this megabatch.
    """
    scored = samples_scored - int(earlier.get("samples_scored", 0))
    samples = samples_seen - int(earlier.get("samples_seen", 0)) - scored
    densities = {layer.layer: layer.density for layer in layers}
    return {
        "samples_seen": float(samples_seen),
        "samples_scored": float(samples_scored),
        "train_flops": float(training_flops(flops, samples_seen)),
        "train_flops_sparse": earlier.get("train_flops_sparse", 0.0)
        + sparse_training_flops(flops, samples, densities)
        + training_flops(flops, scored),
        "seconds": seconds,
        "images_per_second": samples / seconds,
    }


def service_metrics(
    megabatches: Sequence[Metrics], terms: ServiceTerms
) -> tuple[dict[str, float], dict[str, float]]:
    """The running metrics after these megabatches, and the trial's at the end of the stream.

    Args:
        megabatches: Metrics of megabatch 1 … k.
        terms: See :class:`ServiceTerms`.

    Returns:
        Metrics of megabatch k, and those of the trial (empty while k < T).
    """
    running: dict[str, float] = {}
    summary: dict[str, float] = {}
    is_last = len(megabatches) == terms.num_megabatches
    for prefix, split in (("", "holdout"), ("test_", "test")):
        if not terms.split_sizes.get(split):
            continue
        errors = [m[f"{split}_error_rate"] for m in megabatches]
        running[f"{prefix}projected_service_error"] = arithmetic.projected_service_error(
            errors,
            num_megabatches=terms.num_megabatches,
            chance=terms.chance,
            service_after=terms.service_after,
        )
        running[f"{prefix}mean_error"] = arithmetic.mean_error(errors)
        running[f"{prefix}cumulative_errors"] = float(
            sum(round(e * terms.split_sizes[split]) for e in errors)
        )
        if is_last:
            summary[f"{prefix}anytime_error"] = arithmetic.anytime_error(
                errors, chance=terms.chance
            )
            summary[f"{prefix}final_error"] = errors[-1]
            summary[f"{prefix}service_error"] = arithmetic.service_error(
                errors, chance=terms.chance, service_after=terms.service_after
            )
    if is_last:
        summary["final_density"] = megabatches[-1]["density"]
    return running, summary


def along_stream(history: TrialHistory, terms: ServiceTerms) -> TrialHistory:
    """The same megabatches as the first of a stream of ``terms``, maybe longer than theirs was.

    Where it is as long, this is the history as it was.
    """
    records: list[MegabatchRecord] = []
    for number, record in enumerate(history.megabatches, start=1):
        known = [m.metrics for m in history.megabatches[:number]]
        running, summary = service_metrics(known, terms)
        records.append(
            replace(
                record,
                stream_fraction=number / terms.num_megabatches,
                metrics={**record.metrics, **running},
                summary=summary,
            )
        )
    return TrialHistory(history.epochs, tuple(records))
