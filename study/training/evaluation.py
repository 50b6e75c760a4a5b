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
from study.training.budget import Cost

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
    mask: Mask, layers: Sequence[LayerDensity], *, num_left: int, num_parameters: int
) -> dict[str, float]:
    """Densities of the network in service; ``effective_density`` only where it can be found.

    Args:
        mask: Of the network as it was built.
        layers: Its ledger.
        num_left: Parameters that are there and not held at zero, prunable or not.
        num_parameters: Of the network as it was built.
    """
    shared = sum(layer.mask_overlap * layer.num_kept for layer in layers)
    made = {
        "density": mask.density,
        "sparsity": mask.sparsity,
        "model_density": num_left / num_parameters,
        "mask_overlap": shared / mask.num_kept if mask.num_kept else 1.0,
    }
    effective = [layer.effective_density for layer in layers]
    known = [e for e in effective if e is not None]
    if layers and len(known) == len(layers):
        alive = sum(e * layer.num_weights for e, layer in zip(known, layers, strict=True))
        made["effective_density"] = alive / mask.num_weights
    return made


def num_parameters_left(model: nn.Module, held: Mask) -> int:
    """Parameters of ``model`` as it is, without those that ``held`` keeps at zero."""
    return sum(p.numel() for p in model.parameters()) - (held.num_weights - held.num_kept)


def size_metrics(model: nn.Module, held: Mask, flops: FlopCount) -> dict[str, float]:
    """Work and memory of the network in service: for one image, and as a file.

    Args:
        model: As it is.
        held: Which of its weights are not held at zero; layers may be left out.
        flops: Of the network as it is.
    """
    densities = held.layer_densities
    return {
        "forward_flops": float(flops.forward),
        "forward_flops_sparse": sparse_training_flops(flops, 1, densities) / TRAINING_PER_FORWARD,
        "model_bytes": float(model_bytes(model)),
        "sparse_bytes": float(sparse_bytes(model, held.kept_counts)),
    }


def with_flops(layers: Sequence[LayerDensity], flops: FlopCount) -> tuple[LayerDensity, ...]:
    """The ledger's lines with the forward FLOPs of each layer."""
    by_layer = flops.by_parameter
    return tuple(replace(line, forward_flops=by_layer.get(line.layer, 0)) for line in layers)


def cost_metrics(
    flops: FlopCount,
    held: Mask,
    *,
    earlier: Metrics,
    scoring: Cost,
    samples_seen: int,
    seconds: float,
) -> dict[str, float]:
    """What the stream has cost so far, and the speed of this megabatch.

    Args:
        flops: Of the network as it is in this megabatch.
        held: Which of its weights are not held at zero.
        earlier: Metrics of the megabatch before.
        scoring: Of the weights in this megabatch, on the network that its pruning event found;
            its zeros are counted.
        samples_seen: Examples forward and backward through the network so far.
        seconds: Wall time of this megabatch.
    """
    samples = samples_seen - int(earlier.get("samples_seen", 0)) - scoring.samples
    return {
        "samples_seen": float(samples_seen),
        "samples_scored": earlier.get("samples_scored", 0.0) + scoring.samples,
        "train_flops": float(
            int(earlier.get("train_flops", 0.0)) + training_flops(flops, samples) + scoring.flops
        ),
        "train_flops_sparse": earlier.get("train_flops_sparse", 0.0)
        + sparse_training_flops(flops, samples, held.layer_densities)
        + scoring.flops,
        "seconds": seconds,
        "images_per_second": samples / seconds,
    }


def waiting_metrics(
    served: MegabatchRecord | None, split_sizes: Mapping[str, int], *, chance: float
) -> dict[str, float]:
    """What is in service after an arrival that waits: the model of before, or a guess.

    Args:
        served: The arrival before; None at the first.
        split_sizes: Examples of each split.
        chance: e_0, the error of the guess.
    """
    if served is not None:
        known = {n: v for n, v in served.metrics.items() if n != "images_per_second"}
        return {**known, "seconds": 0.0}
    splits = [name for name, size in split_sizes.items() if size]
    return {
        **{f"{name}_error_rate": chance for name in splits},
        **{f"{name}_accuracy": 1.0 - chance for name in splits},
        "density": 1.0,
        "sparsity": 0.0,
        "asked_density": 1.0,
        "samples_seen": 0.0,
        "samples_scored": 0.0,
        "train_flops": 0.0,
        "train_flops_sparse": 0.0,
        "seconds": 0.0,
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
