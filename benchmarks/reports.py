"""Reports on studies of very many runs: seconds and peak memory of the command."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.many_runs import NUM_MEGABATCHES, make_runs
from benchmarks.studies import ROOT
from benchmarks.table import Figure

SUITE = "reports"
SIZES = (100, 1_000, 10_000)
NAME = "many"
# Linux counts what its parent held into a child's peak: so the parent is a process that is small.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@dataclass(frozen=True)
class Spent:
    """By a command: wall time in s, and the most memory that it held in bytes."""

    seconds: float
    peak: int


def measure(*, full: bool = False) -> list[Figure]:
    """All figures of this suite; ``full``: medians of 5 calls instead of one."""
    figures = []
    pages = {}
    for num_runs in SIZES:
        with tempfile.TemporaryDirectory(prefix="app-study-bench-") as name:
            uri = make_runs(Path(name), name=NAME, num_runs=num_runs)
            repeats = 5 if full else 1
            page = spent("html", "--out", str(Path(name) / "page"), uri=uri, repeats=repeats)
            table = spent("runs", "--format", "csv", uri=uri, repeats=repeats)
        what = f"{num_runs:,} runs of {NUM_MEGABATCHES} megabatches"
        largest = num_runs == SIZES[-1]
        figures += [
            Figure(SUITE, f"{what}: html", page.seconds, "s", "< 30" if largest else ""),
            Figure(SUITE, f"{what}: html", page.peak / 1e9, "GB", "< 1" if largest else ""),
            Figure(SUITE, f"{what}: runs", table.seconds, "s"),
            Figure(SUITE, f"{what}: runs", table.peak / 1e9, "GB"),
        ]
        pages[num_runs] = page.seconds
    growth = pages[10_000] / pages[1_000]
    return [*figures, Figure(SUITE, "html on 10,000 runs / on 1,000", growth, "×", "≤ 10")]


def spent(command: str, *options: str, uri: str, repeats: int) -> Spent:
    """The median of ``repeats`` calls of ``app-report COMMAND``.

    Raises:
        RuntimeError: It failed; with its output.
    """
    arguments = [command, NAME, "--tracking-uri", uri, *options]
    calls = [_called([sys.executable, "-m", "analysis.cli", *arguments]) for _ in range(repeats)]
    return Spent(
        seconds=statistics.median(call.seconds for call in calls),
        peak=max(call.peak for call in calls),
    )


def _called(command: list[str]) -> Spent:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stderr}")
    return Spent(seconds, 1024 * int(done.stdout))
