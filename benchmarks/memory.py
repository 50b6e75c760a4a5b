"""What one more trial at once takes: is the data set there twice?

Private pages (USS) and proportional shares (PSS) of the processes of a real study, from
``/proc/PID/smaps_rollup``, on a data set of the size of CIFAR-10's and on a small one.
"""

import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.studies import started, study_of
from benchmarks.table import Figure
from benchmarks.training import images_of

SUITE = "memory"
NUM_IMAGES = 50_000
NUM_FEW = 500
TRIAL_SAMPLES = 300_000
SAMPLED_EVERY_S = 0.2
_MOST_TIME_SAMPLING = 0.1  # large mappings take long to look at
MB = 1e6

# A perceptron that is pruned a little: what a trial takes besides is as small as it gets.
PERCEPTRON = {
    "model.architecture": "mlp",
    "model.hidden_sizes": [16],
    "pruning.schedule": "app",
    "pruning.criterion": "magnitude",
    "pruning.final_density": 0.5,
    "stream.num_megabatches": 2,
}


@dataclass
class Peak:
    """The most that a study took, bytes.

    Attributes:
        pss: Of all its processes at one moment, pages in common shared out among them.
        uss: By process id, of those that train: what no other process has.
        anonymous: By process id, of those that train: what lies in no file either, so that the
            system cannot take it back.
        all_anonymous: Of all its processes at one moment.
    """

    pss: int = 0
    uss: dict[int, int] = field(default_factory=dict)
    anonymous: dict[int, int] = field(default_factory=dict)
    all_anonymous: int = 0


def measure(*, full: bool = False) -> list[Figure]:
    """All figures of this suite; ``full`` changes nothing."""
    del full
    alone = peak_of(num_images=NUM_IMAGES, num_trials=1)
    both = peak_of(num_images=NUM_IMAGES, num_trials=2)
    few = peak_of(num_images=NUM_FEW, num_trials=2)
    one_copy = images_of(NUM_IMAGES)[0].nbytes / MB
    private = statistics.median(both.uss.values()) / MB
    of_data = private - statistics.median(few.uss.values()) / MB
    added = (both.pss - alone.pss) / MB
    return [
        Figure(SUITE, "the data set", one_copy, "MB"),
        Figure(SUITE, "a trial's process, private", private, "MB"),
        Figure(SUITE, "of it because of the data", of_data, "MB", f"< {one_copy / 4:.0f}"),
        Figure(SUITE, "study of 2 at once − of 1", added, "MB", f"< {one_copy:.0f}"),
    ]


def peak_of(*, num_images: int, num_trials: int) -> Peak:
    """The peak of a study of ``num_trials`` at once.

    Raises:
        RuntimeError: Not as many processes were seen to train.
    """
    with tempfile.TemporaryDirectory(prefix="app-study-bench-") as name:
        folder = Path(name)
        images, labels = images_of(num_images)
        np.savez(folder / "images.npz", images=images, labels=labels)
        study = study_of(
            {
                "data.dataset": "arrays",
                "data.path": str(folder / "images.npz"),
                **PERCEPTRON,
                "training.total_samples": TRIAL_SAMPLES,
                "training.batch_size": 128,
            },
            num_trials=num_trials,
            max_concurrent=num_trials,
        )
        with started(study, folder) as process:
            peak = watched(process)
    if len(peak.uss) != num_trials:
        raise RuntimeError(f"{len(peak.uss)} processes were seen to train, not {num_trials}")
    return peak


def watched(process: subprocess.Popen[bytes]) -> Peak:
    """The peak of a study's command and all that it starts, seen until it ends."""
    peak = Peak()
    while process.poll() is None:
        total, anonymous, is_training, begun = 0, 0, False, time.perf_counter()
        for pid in _with_descendants(process.pid):
            memory = _memory(pid)
            total, anonymous = total + memory.pss, anonymous + memory.anonymous
            if _trains(pid):
                is_training = True
                peak.uss[pid] = max(peak.uss.get(pid, 0), memory.uss)
                peak.anonymous[pid] = max(peak.anonymous.get(pid, 0), memory.anonymous)
        # Before and after, the driver reads data and draws the report.
        if is_training:
            peak.pss = max(peak.pss, total)
            peak.all_anonymous = max(peak.all_anonymous, anonymous)
        taken = time.perf_counter() - begun
        time.sleep(max(SAMPLED_EVERY_S, taken / _MOST_TIME_SAMPLING))
    return peak


def _with_descendants(root: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        text = _read(stat)
        if text:
            parents[int(stat.parent.name)] = int(text.rpartition(")")[2].split()[1])
    found, new = {root}, {root}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


class _Memory(NamedTuple):
    pss: int
    uss: int
    anonymous: int


def _memory(pid: int) -> _Memory:
    """In bytes; 0 for a process that has just ended."""
    lines = _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    private = kilobytes.get("Private_Clean", 0) + kilobytes.get("Private_Dirty", 0)
    found = (kilobytes.get("Pss", 0), private, kilobytes.get("Anonymous", 0))
    return _Memory(*(1024 * value for value in found))


def _trains(pid: int) -> bool:
    # Ray names a worker's process after what it does: ray::Trainable.step() while it trains.
    title = _read(Path(f"/proc/{pid}/cmdline"))
    return title.startswith("ray::") and "Trainable" in title


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # it has just ended
        return ""
