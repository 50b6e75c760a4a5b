"""How fast networks train and are evaluated here, found in seconds whatever their size.

Steps on made-up images are timed, in the precision and by the kernels of a trial. Where a whole
mini-batch takes too long, fewer images are, and where even those do, the forward pass alone or a
smaller network: the rest follows by FLOPs.
"""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import nn

from study.models.flops import TRAINING_PER_FORWARD, layer_flops
from study.models.shapes import ImageShape
from study.training.epochs import EVALUATION_BATCH_SIZE
from study.training.kernels import Kernels, convolutions
from study.training.precision import autocast, memory_format

_MOST_SECONDS_EACH = 3.0
_MOST_TIMED = 5
_LEAST_TIMED = 2
_GROWTH = 4  # from a mini-batch to the next larger one that is tried

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Speed:
    """Images a second through a network on this machine.

    Attributes:
        training, evaluation: Forward, backward and the optimiser's step; forward alone.
        is_timed: Whether whole mini-batches were timed; else some of it is extrapolated by FLOPs.
    """

    training: float
    evaluation: float
    is_timed: bool = True

    def scaled(self, factor: float) -> "Speed":
        """That of a network of so many times the FLOPs, supposing the same rate."""
        return Speed(self.training / factor, self.evaluation / factor, is_timed=False)


@dataclass(frozen=True)
class Arithmetic:
    """By what a network's steps are computed."""

    device: torch.device
    precision: Literal["fp32", "bf16"]
    kernels: Kernels


@dataclass(frozen=True)
class TimedNetwork:
    """A network whose speed is asked for.

    Attributes:
        name: For people.
        build: Makes it, on the CPU.
        image_shape: Channels, height and width.
        batch_size: Images of a training step.
        forward_flops: Of one image.
    """

    name: str
    build: Callable[[], nn.Module]
    image_shape: ImageShape
    batch_size: int
    forward_flops: int
    arithmetic: Arithmetic


def measure_speeds(
    networks: Mapping[K, TimedNetwork],
    *,
    seconds: float,
    show: Callable[[str], None] = lambda _: None,
) -> dict[K, Speed]:
    """The speed of each network, in about so many seconds for all of them together.

    Small ones come first and leave the time that they do not need to the larger ones.

    Args:
        networks: By any key.
        seconds: To be spent. Building a network and the first step in it come on top.
        show: Called with what is being done.
    """
    with torch.random.fork_rng(devices=[]):
        return _measured(networks, seconds, show)


def _measured(
    networks: Mapping[K, TimedNetwork], seconds: float, show: Callable[[str], None]
) -> dict[K, Speed]:
    order = sorted(networks, key=lambda key: networks[key].forward_flops)
    known: dict[Arithmetic, tuple[int, Speed]] = {}  # FLOPs of the largest network so far
    found: dict[K, Speed] = {}
    until = time.perf_counter() + seconds
    for number, key in enumerate(order):
        network = networks[key]
        show(f"timing {network.name} ({number + 1} of {len(order)})")
        if network.arithmetic not in known:
            reference = _reference(network.arithmetic)
            speed = _timed(reference, seconds / 10)
            known[network.arithmetic] = (reference.forward_flops, speed)
        flops, speed = known[network.arithmetic]
        supposed = speed.scaled(network.forward_flops / flops)
        share = (until - time.perf_counter()) / (len(order) - number)
        allowed = min(max(share, 0.0), _MOST_SECONDS_EACH)
        if _LEAST_TIMED / supposed.evaluation > allowed / 2:
            found[key] = supposed
            continue
        found[key] = _timed(network, allowed)
        known[network.arithmetic] = (network.forward_flops, found[key])
    return found


def _reference(arithmetic: Arithmetic) -> TimedNetwork:
    """A network that is timed in no time, from which the first of a study is supposed."""

    def build() -> nn.Module:
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
        return nn.Sequential(*layers)

    shape = (3, 32, 32)
    flops = layer_flops(build(), shape).forward
    return TimedNetwork("a reference", build, shape, 8, flops, arithmetic)


def _timed(network: TimedNetwork, seconds: float) -> Speed:
    """Its speed, found by so many seconds of steps."""
    arithmetic = network.arithmetic
    device, precision = arithmetic.device, arithmetic.precision
    model = network.build().to(device).to(memory_format=memory_format(precision, device))
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
    generator = torch.Generator().manual_seed(0)

    def forward(count: int) -> torch.Tensor:
        images = torch.rand(count, *network.image_shape, generator=generator).to(device)
        with autocast(precision, device), convolutions(arithmetic.kernels, model):
            logits: torch.Tensor = model(images)
        return logits

    def evaluate(count: int) -> None:
        with torch.inference_mode():
            forward(count)

    def train(count: int) -> None:
        labels = torch.zeros(count, dtype=torch.int64, device=device)
        loss = nn.functional.cross_entropy(forward(count).float(), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's

    watch, started = _Stopwatch(device), time.perf_counter()
    model.eval()
    evaluation = watch.time(
        evaluate, least=1, most=EVALUATION_BATCH_SIZE, until=started + seconds / 4
    )
    least = min(2, network.batch_size)  # batch normalisation takes no single image
    supposed = TRAINING_PER_FORWARD * evaluation.seconds / evaluation.images
    if time.perf_counter() + _LEAST_TIMED * least * supposed > started + seconds:
        return Speed(1 / supposed, evaluation.images / evaluation.seconds, is_timed=False)
    model.train()
    training = watch.time(train, least=least, most=network.batch_size, until=started + seconds)
    step = training.seconds * network.batch_size / training.images
    step += watch.seconds(optimiser.step)
    return Speed(
        training=network.batch_size / step,
        evaluation=evaluation.images / evaluation.seconds,
        is_timed=training.images == network.batch_size
        and evaluation.images == EVALUATION_BATCH_SIZE,
    )


@dataclass(frozen=True)
class _Steps:
    """Median seconds of a step on so many images."""

    images: int
    seconds: float


@dataclass(frozen=True)
class _Stopwatch:
    device: torch.device

    def time(
        self, step: Callable[[int], object], *, least: int, most: int, until: float
    ) -> _Steps:
        """Time steps on as many images as there is time for, the first of each number apart."""
        images = least
        while True:
            first = self.seconds(step, images)
            if time.perf_counter() + first > until:
                return _Steps(images, first)
            taken = [self.seconds(step, images)]
            larger = min(_GROWTH * images, most)
            expected = (1 + _LEAST_TIMED) * taken[0] * larger / images
            if images == most or time.perf_counter() + expected > until:
                break
            images = larger
        while len(taken) < _MOST_TIMED and time.perf_counter() + taken[0] <= until:
            taken.append(self.seconds(step, images))
        return _Steps(images, statistics.median(taken))

    def seconds(self, work: Callable[..., object], *given: int) -> float:
        """Wall time of one call."""
        started = time.perf_counter()
        work(*given)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - started
