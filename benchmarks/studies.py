"""Real studies, each launched by the command in a process and a folder of its own."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.config.yaml_io import write_yaml
from study.results import Outcome
from study.store.record import Record, RecordedTrial
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 3600.0

# A small network on real digits, T = 4; ``training.total_samples`` makes it as long as wanted.
DIGITS: dict[str, Any] = {
    "data.dataset": "digits",
    "model.architecture": "convnet",
    "pruning.schedule": "app",
    "pruning.final_density": 0.2,
    "stream.num_megabatches": 4,
    "training.batch_size": 64,
    "training.lr": 0.05,
}


def study_of(fixed: Mapping[str, Any], *, num_trials: int, max_concurrent: int = 1) -> StudyConfig:
    """A study of trials that differ in their seed alone, of one thread each."""
    return parse_study(
        {
            "name": "benchmark",
            "fixed": dict(fixed),
            "axes": {"seed": list(range(num_trials))},
            "resources": {"max_concurrent": max_concurrent},
        }
    )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread, as a trial of a study does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def plain_loop(study: StudyConfig) -> list[float]:
    """Seconds of each trial of the study, trained here one after the other."""
    trials = list(study.corners())
    dataset = load_dataset(dataset_key(trials[0].data))
    taken = []
    with one_thread():
        for trial in trials:
            started = time.perf_counter()
            for _ in assemble(trial, dataset).run():
                pass
            taken.append(time.perf_counter() - started)
    return taken


@dataclass(frozen=True)
class LaunchedStudy:
    """A study that has ended, as its own record has it. Times in seconds.

    Attributes:
        commanded_at, exited_at: When the command was given and when it came back, since 1970.
        trials: In the order in which they ended.
    """

    commanded_at: float
    exited_at: float
    trials: tuple[RecordedTrial, ...]

    @property
    def first_step_at(self) -> float:
        """When the first trial began to train: its first report, less what that took to train."""
        begun = []
        for trial in self.trials:
            first = trial.history.megabatches[0]
            begun.append(first.recorded_at - first.metrics["seconds"])
        return min(begun)

    @property
    def start(self) -> float:
        """From the command to the first training step."""
        return self.first_step_at - self.commanded_at

    @property
    def training(self) -> float:
        """From the first training step to the end of the last trial."""
        return self.trials[-1].ended_at - self.first_step_at

    @property
    def end(self) -> float:
        """From the end of the last trial to the prompt, the report included."""
        return self.exited_at - self.trials[-1].ended_at

    @property
    def interval(self) -> float:
        """From the end of a trial to the end of the next, on average."""
        return (self.trials[-1].ended_at - self.trials[0].ended_at) / (len(self.trials) - 1)


@contextlib.contextmanager
def started(
    study: StudyConfig, folder: Path, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The command that launches the study in ``folder``, while it runs.

    Args:
        study: Its plug-ins may lie in ``folder``.
        folder: Where the command is given.
        environment: Variables of the command, beside this process's own.

    Raises:
        RuntimeError: It failed; with its output.
    """
    (folder / "study.yaml").write_text(write_yaml(study.to_dict()), encoding="utf-8")
    log = folder / "output.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "study.cli", "launch", "study.yaml"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
            process.wait(TIMEOUT_S)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        raise RuntimeError(
            f"the study failed ({process.returncode}): {log.read_text(encoding='utf-8')}"
        )


def launched(study: StudyConfig) -> LaunchedStudy:
    """Launch the study and wait for its end.

    Raises:
        RuntimeError: It failed, or not all of its trials are complete.
    """
    with tempfile.TemporaryDirectory(prefix="app-study-bench-") as folder:
        commanded_at = time.time()
        with started(study, Path(folder)):
            pass
        exited_at = time.time()
        record = Record.read(Path(folder) / "app-studies" / study.name / "record.jsonl")
    trials = sorted(record.trials.values(), key=lambda trial: trial.ended_at)
    if any(trial.outcome is not Outcome.COMPLETE for trial in trials):
        raise RuntimeError(f"not all trials are complete: {[t.reason for t in trials]}")
    return LaunchedStudy(commanded_at, exited_at, tuple(trials))
