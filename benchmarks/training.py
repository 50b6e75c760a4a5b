"""Images per second through SGD and evaluation: reference-style, ours in fp32, ours in bf16.

Where a trial's own kernels are not the portable ones, bf16 is timed by both, in turns; at the
published size compiled as well.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
from torch import nn

from benchmarks import reference_loop
from benchmarks.table import Figure
from benchmarks.timing import interleaved, median_ratio, seconds_of
from study.data.batches import ImagePool
from study.models.architecture import ARCHITECTURES
from study.models.flops import TRAINING_PER_FORWARD, layer_flops
from study.pruning.mask import Mask
from study.pruning.prunable import prunable_parameters
from study.training import epochs
from study.training.kernels import (
    PORTABLE,
    Kernels,
    compiled,
    require_compiler,
    resolve_kernels,
)
from study.training.learning_rates import Steps
from study.training.optimiser import OptimiserSpec
from study.training.optimisers import Sgd
from study.training.precision import memory_format

Precision = Literal["fp32", "bf16"]

IMAGE_SHAPE = (3, 32, 32)
BATCH_SIZE = 64
DENSITY = 0.3664
CPU = torch.device("cpu")
OPTIMISER = OptimiserSpec(lr=0.01, optimiser=Sgd(), schedule=Steps(lr_milestones=()))
# Enough images that what happens once an epoch is as small a part as it is in a trial.
NUM_IMAGES = {"resnet20": 2048, "resnet18": 512, "vgg16_bn": 512}
MATMUL_SIDE = 4096
COMPILED = "bf16, compiled"
_PAIRS = (
    ("fp32", "reference-style"),
    ("bf16", "reference-style"),
    ("bf16", PORTABLE),
    (COMPILED, "reference-style"),
    (COMPILED, PORTABLE),
    (COMPILED, "bf16"),
)


def images_of(num: int) -> tuple[np.ndarray, np.ndarray]:
    """``num`` images of noise with labels; speed does not depend on what they show."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (num, *IMAGE_SHAPE), dtype=np.uint8)
    return images, rng.integers(0, 10, num)


def network(name: str) -> nn.Module:
    """A network for CIFAR images, always the same weights."""
    torch.manual_seed(0)
    return ARCHITECTURES.get(name)().build(IMAGE_SHAPE, 10)


def random_mask(model: nn.Module) -> Mask:
    """A mask of about ``DENSITY`` over all prunable weights."""
    generator = torch.Generator().manual_seed(0)
    parameters = prunable_parameters(model)
    return Mask(
        {n: torch.rand(p.shape, generator=generator) < DENSITY for n, p in parameters.items()}
    )


def reference(name: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """One epoch of training and one evaluation, reference-style."""
    images, labels = images_of(NUM_IMAGES[name])
    model = network(name)
    reference_loop.hook_masks(model, DENSITY)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    augmented = reference_loop.loader(images, labels, batch_size=BATCH_SIZE, augment=True)
    plain = reference_loop.loader(images, labels, batch_size=BATCH_SIZE, augment=False)
    return (
        lambda: reference_loop.train_epoch(model, optimiser, augmented),
        lambda: reference_loop.count_errors(model, plain),
    )


def ours(
    name: str, precision: Precision, kernels: Kernels, *, is_compiled: bool = False
) -> tuple[Callable[[], object], Callable[[], object]]:
    """One epoch of training and one evaluation, as a trial does them by these kernels."""
    images, labels = images_of(NUM_IMAGES[name])
    model = network(name).to(memory_format=memory_format(precision, CPU))
    mask = random_mask(model)
    mask.apply_(model)
    optimiser = OPTIMISER.build(model)
    pool = ImagePool(images, labels, mean=(0.5,) * 3, std=(0.25,) * 3, device=CPU)
    order = np.arange(len(labels))
    how = epochs.EpochTraining(
        optimiser=OPTIMISER,
        batch_size=BATCH_SIZE,
        augment="crop_and_flip",
        precision=precision,
        seed=0,
        position=(0, 0),
        first_step=0,
        num_steps=epochs.num_steps([len(labels)], BATCH_SIZE),
        forward=compiled(model) if is_compiled else None,
        kernels=kernels,
    )
    return (
        lambda: epochs.train_epoch_(model, optimiser, mask, pool, order, how),
        lambda: epochs.wrong_examples(model, pool, order, precision=precision, kernels=kernels),
    )


def matmul_flops_per_second(dtype: torch.dtype, *, repeats: int = 5) -> float:
    """The machine's rate on large square matrices, the best of a few."""
    left, right = (torch.randn(MATMUL_SIDE, MATMUL_SIDE).to(dtype) for _ in range(2))
    best = min(seconds_of(lambda: left @ right) for _ in range(repeats + 1))
    return 2 * MATMUL_SIDE**3 / best


# × reference-style in training, and the share of the matrix rate, where there is a target.
_TARGETS = {"fp32": "≥ 1.2", "bf16": "≥ 2.0"}
_OF_THE_RATE = {("resnet18", "bf16"): "≥ 0.75", ("vgg16_bn", "bf16"): "≥ 0.75"}


def measure(*, full: bool = False) -> list[Figure]:
    """All figures of this suite; ``full``: medians of 11 rounds instead of 5, and compiled."""
    rates = {
        "fp32": matmul_flops_per_second(torch.float32),
        "bf16": matmul_flops_per_second(torch.bfloat16),
    }
    figures = []
    for name in NUM_IMAGES:
        figures += _figures_of(name, rates, full=full)
    return figures


def _figures_of(name: str, rates: Mapping[str, float], *, full: bool) -> list[Figure]:
    """Of one network; ``rates`` are those of matrix products by precision, FLOP/s."""
    repeats = 11 if full else 5
    kernels = resolve_kernels("auto", "bf16", CPU)
    made = {
        "reference-style": reference(name),
        "fp32": ours(name, "fp32", PORTABLE),
        "bf16": ours(name, "bf16", kernels),
    }
    if kernels != PORTABLE:
        made[PORTABLE] = ours(name, "bf16", PORTABLE)
    if full:
        require_compiler(CPU)
        made[COMPILED] = ours(name, "bf16", kernels, is_compiled=True)
    train = interleaved({key: both[0] for key, both in made.items()}, repeats=repeats)
    # Evaluation is never compiled.
    evaluated = {key: both[1] for key, both in made.items() if key != COMPILED}
    evaluate = interleaved(evaluated, repeats=repeats)
    flops = TRAINING_PER_FORWARD * layer_flops(network(name), IMAGE_SHAPE).forward
    figures = []
    for key, timing in train.items():
        rate = NUM_IMAGES[name] / timing.median
        figures.append(Figure("training", f"{name} {key}", rate, "images/s"))
        if key in rates:
            share, goal = flops * rate / rates[key], _OF_THE_RATE.get((name, key), "")
            figures.append(Figure("training", f"{name} {key} / matmul rate", share, "", goal))
    for work, timed in (("training", train), ("evaluation", evaluate)):
        for faster, slower in _PAIRS:
            if faster in timed and slower in timed:
                ratio = median_ratio(timed[slower], timed[faster])
                is_goal = work == "training" and slower == "reference-style"
                goal = _TARGETS.get(faster, "") if is_goal else ""
                figures.append(Figure(work, f"{name} {faster} / {slower}", ratio, "×", goal))
    return figures
