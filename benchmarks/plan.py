"""How long ``app-study plan`` takes: the paper's settings, and large networks on large images.

The networks, streams and seeds are those of ``search_spaces/paper``. The images are made up, as
many as in the data set that is meant (of Restricted ImageNet 600 a class), since none may be at
hand: what it takes to read and decode images is no part of it.
"""

import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.studies import ROOT
from benchmarks.table import Figure
from study.config.yaml_io import read_yaml_file, write_yaml

SUITE = "plan"
PAPER = ROOT / "search_spaces" / "paper"
LARGE: Mapping[str, tuple[str, ...]] = {
    "ConvNeXt-T and ViT-B/16 at 224 px": ("convnext_tiny", "vit_b_16"),
    "ConvNeXt-L and ViT-L/16 at 224 px": ("convnext_large", "vit_l_16"),
}
GIVEN_UP_AFTER_S = 600.0


@dataclass(frozen=True)
class MadeUp:
    """Images of a data set's shape and number; the classes are equally frequent."""

    num_images: int
    num_classes: int
    size: int

    def write(self, folder: Path) -> Path:
        """An ``.npz`` of random bytes in ``folder``, a tenth of it the test split."""
        path = folder / f"{self.num_images}_{self.num_classes}_{self.size}.npz"
        if not path.exists():
            generator = np.random.default_rng(0)
            shape = (self.num_images, 3, self.size, self.size)
            images = generator.integers(0, 256, shape, dtype=np.uint8)
            labels = np.arange(self.num_images) % self.num_classes
            tenth = self.num_images // 10
            np.savez(
                path,
                images=images,
                labels=labels,
                test_images=images[:tenth],
                test_labels=labels[:tenth],
            )
        return path


CIFAR10, CIFAR100 = MadeUp(50_000, 10, 32), MadeUp(50_000, 100, 32)
RESTRICTED_IMAGENET = MadeUp(8_400, 14, 224)


def measure(*, full: bool = False) -> list[Figure]:
    """All figures of this suite; ``full`` makes no difference."""
    del full
    figures = []
    with tempfile.TemporaryDirectory(prefix="app-study-bench-") as name:
        for what, raw in studies(Path(name)):
            wall, cpu = seconds_of_plan(raw, Path(name))
            figures += [
                Figure(SUITE, what, wall, "s", "≤ 20"),
                Figure(SUITE, f"{what}: of the processor", cpu, "s"),
            ]
    return figures


def studies(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each study is called, and the study with its images in ``folder``."""
    for path in sorted(PAPER.glob("*.yaml")):
        raw = read_yaml_file(path)
        yield path.stem, {**raw, "fixed": with_made_up_images(raw["fixed"], folder)}
    for what, architectures in LARGE.items():
        fixed = {
            "data.dataset": "image_folder",
            "data.image_size": 224,
            "pruning.schedule": "dense",
            "training.epochs": 1,
        }
        raw = {
            "name": "large",
            "fixed": with_made_up_images(fixed, folder),
            "axes": {
                "model.architecture": list(architectures),
                "training.precision": ["fp32", "bf16"],
            },
        }
        yield what, raw


def with_made_up_images(fixed: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The settings with an ``.npz`` in place of a data set that has to be fetched."""
    wanted = {"cifar10": CIFAR10, "cifar100": CIFAR100, "image_folder": RESTRICTED_IMAGENET}
    made_up = wanted.get(fixed["data.dataset"])
    if made_up is RESTRICTED_IMAGENET and fixed["data.image_size"] == CIFAR10.size:
        made_up = CIFAR10
    if made_up is None:
        return dict(fixed)
    own = {"data.class_map", "data.image_size", "data.root"}
    left = {path: value for path, value in fixed.items() if path not in own}
    return {**left, "data.dataset": "arrays", "data.path": str(made_up.write(folder))}


def seconds_of_plan(raw: Mapping[str, Any], folder: Path) -> tuple[float, float]:
    """Wall time of the command and the processor's time, s; infinite where it was given up.

    On a machine that does other work besides, the second is the one that tells.

    Raises:
        RuntimeError: It failed; with its output.
    """
    file = folder / "study.yaml"
    file.write_text(write_yaml(raw), encoding="utf-8")
    before, started = _processor_seconds(), time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "study.cli", "plan", str(file)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=GIVEN_UP_AFTER_S,
        )
    except subprocess.TimeoutExpired:
        return math.inf, math.inf
    if done.returncode:
        raise RuntimeError(f"plan failed ({done.returncode}): {done.stderr}")
    return time.perf_counter() - started, _processor_seconds() - before


def _processor_seconds() -> float:
    """Of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
