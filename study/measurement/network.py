"""A network timed beside the dense one of the same architecture."""

import functools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from study.export.formats import Predict
from study.export.network import NetworkSpec, drawn_images
from study.measurement.interleaved import Estimate, Timing, time_in_turns
from study.measurement.runtimes import loaded, torch_threads

BATCH_SIZES = (1, 64)


@dataclass(frozen=True)
class Latency:
    """What one batch takes.

    Attributes:
        batch_size: Images that are answered at once.
        seconds: Median of one answer, for the whole batch.
        dense_seconds: The dense network's, measured in turns with it.
        speedup: Dense over own.
        num_rounds: Of which these are medians.
    """

    batch_size: int
    seconds: float
    dense_seconds: float
    speedup: Estimate
    num_rounds: int


@dataclass(frozen=True)
class LatencyFound:
    """Latencies by batch size, and what they were measured with."""

    latencies: tuple[Latency, ...]
    conditions: str


def dense_network(spec: NetworkSpec) -> nn.Module:
    """The architecture for the same images and classes, newly built, nothing pruned.

    Its weights have no meaning, which dense arithmetic does not depend on.
    """
    num_classes = len(spec.class_names)
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = spec.architecture().build(spec.image_shape, num_classes)
    return network.eval()


def network_latency(
    network: nn.Module,
    spec: NetworkSpec,
    *,
    threads: int,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    timing: Timing | None = None,
) -> LatencyFound:
    """A network in turns with the dense one of its architecture, by the first runtime that fits.

    Args:
        network: In evaluation mode, on the CPU.
        spec: What it is, takes and gives.
        threads: Of the runtime.
        batch_sizes: Images that are answered at once.
        timing: How long, for each batch size.
    """
    with torch_threads(threads):
        runtime, (own, dense) = loaded([network, dense_network(spec)], spec, threads=threads)
        found = latencies(own, dense, spec, batch_sizes=batch_sizes, timing=timing)
    return LatencyFound(found, runtime.conditions)


def latencies(
    own: Predict,
    dense: Predict,
    spec: NetworkSpec,
    *,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    timing: Timing | None = None,
) -> tuple[Latency, ...]:
    """What both take for the same images, whose values are drawn at random, always the same."""
    made = []
    for size in batch_sizes:
        images = drawn_images(size, spec)
        turns = time_in_turns(
            functools.partial(own, images), functools.partial(dense, images), timing or Timing()
        )
        made.append(
            Latency(
                size,
                statistics.median(turns.seconds),
                statistics.median(turns.reference_seconds),
                turns.speedup,
                len(turns.seconds),
            )
        )
    return tuple(made)
