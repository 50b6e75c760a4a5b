"""Images larger than memory: what a trial holds of them, and how fast mini-batches are read.

``python -m benchmarks.large_images FOLDER`` paints JPEGs of 256 px into an empty folder, decodes
them at 224 px, and measures the decoding, mini-batches out of the mapped file against the same
images in memory, a small network that trains on both in turns, and the memory of studies of one
trial and of two at once that read every image. 57,000 images are 8.6 GB decoded, of which the
comparison holds a copy.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.memory import MB, PERCEPTRON, Peak, watched
from benchmarks.studies import one_thread, started, study_of
from benchmarks.table import Figure, show
from benchmarks.timing import Timing, interleaved, seconds_of
from study.config.plugins import load_builtin_plugins
from study.data.batches import ImagePool
from study.data.dataset import IndexArray, UInt8Array
from study.data.mapped import MappedImages
from study.data.sources.image_folder import ImageFolder

SUITE = "large images"
NUM_IMAGES = 57_000
NUM_CLASSES = 10
PAINTED, SIZE = 256, 224
NUM_READ, BATCH = 3_200, 64


def paint(folder: Path, num_images: int) -> None:
    """Blurred noise with a tint of its class, so many JPEGs; every twentieth is for the test."""

    def one(number: int) -> None:
        rng = np.random.default_rng(number)
        label = number % NUM_CLASSES
        noise = rng.integers(0, 160, (24, 24, 3))
        noise += np.array([label % 3, label // 3 % 3, label // 9]) * 40
        part = "test" if number // NUM_CLASSES % 20 == 0 else "train"
        path = folder / part / f"class{label}" / f"{number:06}.jpg"
        picture = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
        picture.resize((PAINTED, PAINTED), Image.Resampling.BICUBIC).save(path, quality=85)

    for part in ("train", "test"):
        for label in range(NUM_CLASSES):
            (folder / part / f"class{label}").mkdir(parents=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, range(num_images)))


def measure(folder: Path) -> Iterator[Figure]:
    """All figures of a folder that holds painted images; the last ones take some minutes.

    Raises:
        RuntimeError: The images are too few to be mapped, or a study failed.
    """
    source = ImageFolder(image_size=SIZE)
    first = seconds_of(lambda: source.load(folder))
    again = seconds_of(lambda: source.load(folder))
    dataset = source.load(folder)
    images, tests = dataset.train_images, dataset.test_images
    if not isinstance(images, MappedImages) or tests is None:
        raise RuntimeError(f"{images.nbytes / MB:,.0f} MB are held in memory; paint more images")
    total = (images.nbytes + tests.nbytes) / MB
    yield Figure(SUITE, "images, decoded", total, "MB")
    yield Figure(
        SUITE, "loaded for the first time, or from the cache where it is there", first, "s"
    )
    yield Figure(SUITE, "loaded again, every byte checked", again, "s")
    for name, timing, number in rates(images, dataset.train_labels):
        yield Figure(SUITE, name, number / timing.median, "images/s")
    for num_trials in (1, 2):
        peak = peak_of(folder, num_trials=num_trials, num_images=len(images))
        own = max(peak.anonymous.values()) / MB
        yield Figure(SUITE, f"{num_trials} at once: a trial's own memory at its peak", own, "MB")
        yield Figure(
            SUITE, f"{num_trials} at once: all, shares of the file too", peak.pss / MB, "MB"
        )


def rates(mapped: UInt8Array, labels: IndexArray) -> Iterator[tuple[str, Timing, int]]:
    """Mini-batches in random order, alone and trained on; mapped and in memory, in turns."""
    pools = {"in memory": np.array(mapped, subok=False), "mapped": mapped}
    order = np.random.default_rng(0).permutation(len(mapped))
    network = nn.Sequential(
        nn.Conv2d(3, 16, 7, stride=4), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.LazyLinear(10)
    )

    def run(images: UInt8Array, *, trains: bool) -> Callable[[], None]:
        pool = ImagePool(
            images, labels, mean=(0.5,) * 3, std=(0.25,) * 3, device=torch.device("cpu")
        )

        def once() -> None:
            optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
            for x, y in pool.minibatches(order[:NUM_READ], batch_size=BATCH):
                if trains:
                    optimiser.zero_grad()
                    loss = nn.functional.cross_entropy(network(x), y)
                    loss.backward()  # type: ignore[no-untyped-call]  # torch's
                    optimiser.step()

        return once

    with one_thread():
        network(torch.zeros(2, 3, SIZE, SIZE))
        for trains, what in ((False, "mini-batches alone"), (True, "a small network trained")):
            contestants = {name: run(images, trains=trains) for name, images in pools.items()}
            for name, timing in interleaved(contestants, repeats=5).items():
                yield f"{what}, {name}", timing, NUM_READ


def peak_of(folder: Path, *, num_trials: int, num_images: int) -> Peak:
    """The peak of a study of so many trials at once, each of which sees every image once."""
    study = study_of(
        {
            "data.dataset": "image_folder",
            "data.image_size": SIZE,
            "data.root": str(folder),
            **PERCEPTRON,
            "training.total_samples": num_images * 3 // 2,
            "training.batch_size": BATCH,
        },
        num_trials=num_trials,
        max_concurrent=num_trials,
    )
    with (
        tempfile.TemporaryDirectory(prefix="app-study-bench-") as name,
        started(study, Path(name)) as process,
    ):
        return watched(process)


def main() -> None:
    """Paint where the folder is empty, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=NUM_IMAGES)
    parser.add_argument("--paint-only", action="store_true")
    arguments = parser.parse_args()
    load_builtin_plugins()
    if not (arguments.folder / "train").exists():
        paint(arguments.folder, arguments.images)
    if not arguments.paint_only:
        found: list[Figure] = []
        try:
            found.extend(measure(arguments.folder))
        finally:
            show(found)


if __name__ == "__main__":
    main()
