"""Interleaved timing: what is compared takes turns, so that a noisy machine troubles all alike."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timing:
    """Seconds of each repetition of one contestant."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the repetitions, s."""
        return statistics.median(self.seconds)


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call, s."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used so far, s."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def interleaved(
    contestants: Mapping[str, Callable[[], object]], *, repeats: int = 5
) -> dict[str, Timing]:
    """Time each contestant ``repeats`` times in turn, after one round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for round_number in range(repeats + 1):
        for name, work in contestants.items():
            seconds = seconds_of(work)
            if round_number:
                taken[name].append(seconds)
    return {name: Timing(tuple(seconds)) for name, seconds in taken.items()}


def median_ratio(slower: Timing, faster: Timing) -> float:
    """How many times faster: the median over the rounds of the ratio within each."""
    return statistics.median(s / f for s, f in zip(slower.seconds, faster.seconds, strict=True))
