"""What latency says of networks whose speed is known, and what measuring it takes.

    python -m benchmarks latency

A network that is timed beside itself is as fast as itself: how often the 95 % interval of the
speed-up holds 1, and how far its ends are apart. A network of which nine weights in ten are zero
has the same shapes as the dense one: its speed-up is what runtimes gain from zeros.
"""

import statistics
import time

import torch
from torch import nn

from benchmarks.table import Figure
from study.export.network import NetworkSpec
from study.measurement.network import Latency, dense_network, latencies, network_latency
from study.measurement.runtimes import loaded, torch_threads

SUITE = "latency"
NETWORKS = ("resnet20",)
ALL_NETWORKS = (*NETWORKS, "resnet18", "vgg16_bn")
NUM_REPEATS, NUM_REPEATS_FULL = 20, 60
DENSITY = 0.1


def measure(*, full: bool) -> list[Figure]:
    """The figures of each network."""
    figures: list[Figure] = []
    with torch_threads(1):
        for name in ALL_NETWORKS if full else NETWORKS:
            spec = NetworkSpec(
                {"architecture": name},
                (),
                (3, 32, 32),
                tuple("0123456789"),
                (0.5,) * 3,
                (0.25,) * 3,
            )
            figures += _of_zeros(name, spec)
        figures += _of_itself(NETWORKS[0], NUM_REPEATS_FULL if full else NUM_REPEATS)
    return figures


def _spec(name: str) -> NetworkSpec:
    """Of a network for ten classes of images as CIFAR-10's."""
    classes = tuple("0123456789")
    return NetworkSpec({"architecture": name}, (), (3, 32, 32), classes, (0.5,) * 3, (0.25,) * 3)


def _of_zeros(name: str, spec: NetworkSpec) -> list[Figure]:
    """One measurement as a trial makes it, at its end."""
    network = dense_network(spec)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                kept = torch.rand(module.weight.shape, generator=generator) < DENSITY
                module.weight.mul_(kept)
    began = time.perf_counter()
    found = network_latency(network, spec, threads=1)
    seconds = time.perf_counter() - began
    figures = [Figure(SUITE, f"{name}: measured within", seconds, "s")]
    for one in found.latencies:
        what = f"{name}, batch {one.batch_size}, {1 - DENSITY:.0%} zeros ({found.conditions})"
        figures += [
            Figure(SUITE, f"{what}: latency", 1e3 * one.seconds, "ms"),
            Figure(SUITE, f"{what}: speed-up", one.speedup.median, "×"),
            Figure(SUITE, f"{what}: low", one.speedup.low, "×"),
            Figure(SUITE, f"{what}: high", one.speedup.high, "×"),
        ]
    return figures


def _of_itself(name: str, num_repeats: int) -> list[Figure]:
    spec = _spec(name)
    _, (one, other) = loaded([dense_network(spec), dense_network(spec)], spec, threads=1)
    found = [latencies(one, other, spec, batch_sizes=(1,))[0] for _ in range(num_repeats)]
    what = f"{name} beside itself, {num_repeats} times"
    held = [_holds_one(latency) for latency in found]
    widths = [latency.speedup.high - latency.speedup.low for latency in found]
    medians = [latency.speedup.median for latency in found]
    return [
        Figure(SUITE, f"{what}: intervals that hold 1", 100 * statistics.fmean(held), "%"),
        Figure(SUITE, f"{what}: width of the interval, median", statistics.median(widths), ""),
        Figure(SUITE, f"{what}: least speed-up", min(medians), "×"),
        Figure(SUITE, f"{what}: largest speed-up", max(medians), "×"),
    ]


def _holds_one(latency: Latency) -> bool:
    return latency.speedup.low <= 1 <= latency.speedup.high
