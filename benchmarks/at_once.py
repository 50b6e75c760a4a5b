"""What many trials at once ask of the driver, and how long they wait for it.

Trials that train for a moment and then rest, on a Ray cluster on this machine whose cores are
pretended. Between two rests a trial trains on one mini-batch, reports, and waits until the driver
has taken the report and has sent it on.
"""

import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks import resting_criterion as resting_criterion  # registers it
from benchmarks.orchestration import EMPTY
from benchmarks.studies import started
from benchmarks.table import Figure
from benchmarks.timing import processor_seconds
from study.config.study import parse_study
from study.config.study_config import StudyConfig

SUITE = "at_once"
SIZES = (1, 8)
FULL_SIZES = (1, 8, 16, 24)
NUM_MEGABATCHES, REST_S = 30, 2.0
# Of each trial: its first megabatches, while others still start.
NUM_SKIPPED = 10
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def study_of(num_trials: int, folder: Path, address: str) -> StudyConfig:
    """So many trials at once, of one mini-batch a megabatch."""
    fixed = EMPTY | {
        "stream.num_megabatches": NUM_MEGABATCHES,
        "training.total_samples": 64 * NUM_MEGABATCHES,
        "pruning.schedule": "app",
        "pruning.final_density": 0.2,
        "pruning.criterion": "resting",
        "pruning.folder": str(folder),
        "pruning.rest_s": REST_S,
    }
    return parse_study(
        {
            "name": "benchmark",
            "plugins": ["benchmarks.resting_criterion"],
            "fixed": fixed,
            "axes": {"seed": list(range(num_trials))},
            "resources": {"max_concurrent": num_trials, "address": address},
            "tracking": {"log_models": "none"},
        }
    )


@contextlib.contextmanager
def pretended_cluster(num_cpus: int) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Address of a Ray cluster on loopback, and the variables with which it is joined."""
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        environment = {**_LOOPBACK, "RAY_TMPDIR": folder}
        with mock.patch.dict(os.environ, environment):
            head = {
                "num_cpus": num_cpus,
                "node_ip_address": "127.0.0.1",
                "include_dashboard": False,
            }
            cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            yield str(cluster.address), environment
        finally:
            cluster.shutdown()  # type: ignore[no-untyped-call]  # Ray's


@dataclass(frozen=True)
class AtOnce:
    """Of so many trials at once.

    Attributes:
        busy: The driver's share of a core.
        waits: Seconds from the end of a rest to the next of the same trial.
    """

    busy: float
    waits: np.ndarray


def at_once(num_trials: int) -> AtOnce:
    """Run so many trials, and look while all of them do."""
    with (
        tempfile.TemporaryDirectory(prefix="app-study-bench-") as name,
        pretended_cluster(num_trials) as (address, environment),
    ):
        folder = Path(name)
        told = folder / "told"
        told.mkdir()
        study = study_of(num_trials, told, address)
        with started(study, folder, **environment) as process:
            seen: list[tuple[float, float]] = []
            while process.poll() is None:
                rests = _rests(told)
                is_whole = len(rests) == num_trials
                if is_whole and all(NUM_SKIPPED < len(r) < NUM_MEGABATCHES for r in rests):
                    with contextlib.suppress(FileNotFoundError):  # it has ended just now
                        seen.append((time.time(), processor_seconds(process.pid)))
                time.sleep(0.5)
        if len(seen) < 2:
            raise RuntimeError(f"{num_trials} trials were never all at work together")
        (begun, before), (ended, after) = seen[0], seen[-1]
        waits = [
            later - earlier
            for rests in _rests(told)
            for (_, earlier), (later, _) in itertools.pairwise(rests)
            if begun <= earlier <= ended
        ]
    return AtOnce((after - before) / (ended - begun), np.array(waits))


def _rests(told: Path) -> list[list[tuple[float, float]]]:
    """Begin and end of each rest so far, one list a trial."""
    found = []
    for path in told.iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        found.append([(float(a), float(b)) for a, b in (line.split() for line in lines)])
    return found


def measure(*, full: bool = False) -> list[Figure]:
    """All figures of this suite; ``full``: up to 24 trials at once, a process each."""
    figures: list[Figure] = []
    for size in FULL_SIZES if full else SIZES:
        found = at_once(size)
        waits = 1e3 * np.percentile(found.waits, [50, 95, 100])
        what = f"{size} at once"
        figures.append(Figure(SUITE, f"{what}: the driver's share of a core", found.busy, ""))
        for title, value in zip(("median", "95 %", "longest"), waits, strict=True):
            figures.append(Figure(SUITE, f"{what}: between two rests, {title}", value, "ms"))
    return figures
