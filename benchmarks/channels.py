"""Whole streams pruned by channels, in turns with the dense one: FLOPs, time, speed, size, error.

    python -m benchmarks.channels --root FOLDER --parts FOLDER [--seeds 3] [--networks NAME …]

trains dense and channel-pruned networks on CIFAR-10 images (a folder of images: train/CLASS/*,
test/CLASS/*) side by side in one process, an epoch of each in turn, so that a busy machine
troubles all alike. Each network and seed leaves a file in the parts' folder, and what has one is
not trained again. Prints Markdown.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.studies import one_thread
from study.config.plugins import load_builtin_plugins
from study.config.trial import TrialConfig, parse_trial, unflatten
from study.data.dataset import ImageDataset
from study.export.network import NetworkSpec
from study.measurement.trial import TrialMeasurement
from study.results import EpochRecord, MegabatchRecord
from study.training.anytime import AnytimeLearner
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset

DENSITIES = (0.5, 0.25, 0.1)
TARGETS = {"vgg16_bn": 0.6, "resnet18": 0.75}  # wall time of APP to a quarter over dense
# Examples through SGD, scored ones included.
SAMPLES = {"resnet20": 20_000, "resnet18": 12_000, "vgg16_bn": 20_000}
NUM_TEST = 2000  # of the test images: to evaluate all of them takes as long as to train

FIXED: dict[str, Any] = {
    "data.dataset": "image_folder",
    "data.image_size": 32,
    "data.shots_per_class": 1000,
    "data.holdout_fraction": 0.05,
    "stream.num_megabatches": 8,
    "pruning.criterion": "snip",
    # By default scores would take two fifths of so short a training, and of the paper's 0.4 %.
    "saliency.fraction": 0.02,
    "training.batch_size": 64,
    "training.lr": 0.05,
    "training.precision": "bf16",
}


def settings(density: float) -> dict[str, Any]:
    """Of dense where nothing is pruned."""
    if density == 1:
        return {"pruning.schedule": "dense"}
    return {
        "pruning.schedule": "app",
        "pruning.granularity": "channel",
        "pruning.final_density": density,
    }


@dataclass
class Stream:
    """A trial on its way, and the seconds that it has taken so far."""

    learner: AnytimeLearner
    steps: Iterator[EpochRecord | MegabatchRecord]
    seconds: float = 0.0
    last: MegabatchRecord | None = None

    def advance(self) -> bool:
        """One record on; whether there was one."""
        started = time.perf_counter()
        record = next(self.steps, None)
        self.seconds += time.perf_counter() - started
        if isinstance(record, MegabatchRecord):
            self.last = record
        return record is not None


def in_turns(trials: Mapping[float, TrialConfig], dataset: ImageDataset) -> list[dict[str, Any]]:
    """Train all of them side by side, then time them; a row for each density."""
    learners = {density: assemble(trial, dataset) for density, trial in trials.items()}
    streams = {density: Stream(learner, learner.run()) for density, learner in learners.items()}
    open_ones = list(streams.values())
    while open_ones:
        open_ones = [stream for stream in open_ones if stream.advance()]
    rows = []
    for density, stream in streams.items():
        assert stream.last is not None
        spec = NetworkSpec.from_trial(trials[density], dataset, ())
        measure = TrialMeasurement(spec, threads=1, log_latency="final")
        found = measure(stream.learner.model, stream.learner.mask, is_last=True)
        values = {**stream.last.metrics, **stream.last.summary, **found.metrics}
        rows.append(
            {
                "density": density,
                "wall_seconds": stream.seconds,
                "metrics": values,
                "measured_with": found.conditions,
            }
        )
    return rows


def record(
    root: Path, parts: Path, networks: Sequence[str], num_seeds: int, samples: Mapping[str, int]
) -> Iterator[str]:
    """Train what has no part yet; yields a line a network and seed."""
    load_builtin_plugins()
    dataset: ImageDataset | None = None
    for network in networks:
        for seed in range(num_seeds):
            part = parts / f"{network}-{seed}.json"
            if part.exists():
                continue
            own = {
                **FIXED,
                "data.root": str(root.absolute()),
                "model.architecture": network,
                "training.total_samples": samples[network],
                "seed": seed,
            }
            trials = {d: parse_trial(unflatten({**own, **settings(d)})) for d in (1.0, *DENSITIES)}
            dataset = dataset or _dataset(trials[1.0])
            with one_thread():
                rows = in_turns(trials, dataset)
            draft = part.with_suffix(".draft")
            draft.write_text(json.dumps(rows), encoding="utf-8")
            draft.replace(part)
            yield f"{network}, seed {seed}: {rows[0]['wall_seconds']:.0f} s dense"


def _dataset(trial: TrialConfig) -> ImageDataset:
    """With the first test images of each class alone."""
    whole = load_dataset(dataset_key(trial.data))
    assert whole.test_images is not None
    assert whole.test_labels is not None
    by_class = [np.flatnonzero(whole.test_labels == c) for c in range(len(whole.class_names))]
    chosen = np.sort(np.concatenate([c[: NUM_TEST // len(by_class)] for c in by_class]))
    return dataclasses.replace(
        whole, test_images=whole.test_images[chosen], test_labels=whole.test_labels[chosen]
    )


def table(parts: Path, networks: Sequence[str]) -> Iterator[str]:
    """A line a network and density, means over the seeds; ratios within each seed."""
    yield (
        "| network | weights | training FLOPs / dense | wall time / dense | speed-up, batch 1 | "
        "batch 64 | file / dense | service error | final error | seeds |"
    )
    yield "|" + "---|" * 10
    for network in networks:
        runs = [json.loads(p.read_text("utf-8")) for p in sorted(parts.glob(f"{network}-*.json"))]
        for number, density in enumerate((1.0, *DENSITIES) if runs else ()):
            yield _line(network, density, [run[number] for run in runs], [run[0] for run in runs])


def _line(
    network: str,
    density: float,
    own: Sequence[Mapping[str, Any]],
    dense: Sequence[Mapping[str, Any]],
) -> str:
    def mean(name: str) -> float:
        return fmean(row["metrics"][name] for row in own)

    def ratio(name: str) -> float:
        return fmean(
            a["metrics"][name] / b["metrics"][name] for a, b in zip(own, dense, strict=True)
        )

    wall = fmean(a["wall_seconds"] / b["wall_seconds"] for a, b in zip(own, dense, strict=True))
    cells = (
        network,
        "dense" if density == 1 else f"{mean('final_density'):.1%}",
        f"{ratio('train_flops'):.2f}",
        f"{wall:.2f}",
        f"{mean('speedup'):.2f}",
        f"{mean('speedup_batch64'):.2f}",
        f"{ratio('file_bytes'):.2f}",
        f"{mean('service_error'):.1%}",
        f"{mean('final_error'):.1%}",
        str(len(own)),
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Record what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, required=True, help="where the images lie")
    parser.add_argument("--parts", type=Path, required=True, help="a file a network and seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", default=list(SAMPLES), choices=list(SAMPLES))
    parser.add_argument("--samples", type=int, help="examples of each trial, to try it out")
    given = parser.parse_args()
    given.parts.mkdir(parents=True, exist_ok=True)
    samples = {name: given.samples or SAMPLES[name] for name in given.networks}
    for line in record(given.root, given.parts, given.networks, given.seeds, samples):
        sys.stderr.write(line + "\n")
    for line in table(given.parts, given.networks):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
