"""What a trial costs the driver, by how many the study has had; without Ray, and nothing trained.

A study of so many ended trials is made up, in its record and in MLflow on SQLite, and resumed:
then some more trials are proposed, reported and ended as Tune's loop does it, one after the other,
with the results of a trial that was trained. Tracking is in a process of its own, as in a study,
whose calls are awaited here, so that its time can be told apart. Ray's own work comes on top. All
times are the processor's, so that other work on the machine troubles them little.
"""

import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.driver_trials import MadeUpTrials, study_of
from benchmarks.table import Figure
from benchmarks.timing import processor_seconds
from study.results import Outcome, TrialHistory
from study.session.session import open_session
from study.session.terminal import TerminalDisplay
from study.store.folder import StudyStore
from study.store.record import Record
from study.tracking.mlflow.own_process import in_own_process
from study.tracking.process import ProcessTracker
from study.tune.searcher import StudySearch
from study.tune.worker_deaths import Deaths

SUITE = "driver"
SIZES = (100, 1_000, 3_000, 10_000)
NUM_TIMED = 20
_SHOWN_A_SECOND = 4


class Clocked:
    """A tracker in a process of its own, with the processor time that its calls take there."""

    def __init__(self, tracker: ProcessTracker) -> None:
        self._tracker = tracker
        self.seconds = 0.0

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._tracker._process is not None
        return self._tracker._process.pid

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._tracker, name)
        if not callable(method):
            return method

        def timed(*given: Any, **named: Any) -> Any:
            started = processor_seconds(self.pid)
            try:
                return method(*given, **named)
            finally:
                self.seconds += processor_seconds(self.pid) - started

        return timed

    def end(self) -> None:
        """Nothing is closed in the store."""
        self._tracker._end()


@dataclass(frozen=True)
class Costs:
    """Seconds of the processor, but for the memory that is held, in bytes a trial.

    Attributes:
        resume: Until the first trial is proposed, the driver's and, awaited by it, tracking's.
        listed: Tracking's part of it: MLflow's list of the runs.
        proposal: Of a trial: what the sampler and the record take.
        reports: Of a trial, from its start to its end.
        tracking: Of a trial in MLflow.
        shown: To draw the terminal once.
        memory: The driver's.
        tracking_memory: That of the process of tracking.
    """

    resume: float
    listed: float
    proposal: float
    reports: float
    tracking: float
    shown: float
    memory: float
    tracking_memory: float


def costs(num_trials: int, folder: Path) -> Costs:
    """Of a study that has had so many trials."""
    study = study_of(num_trials, num_more=10 * NUM_TIMED)
    made_up = MadeUpTrials(study)
    place = StudyStore(folder).folder(study.name)
    place.path.mkdir(parents=True)
    made_up.write(place, num_trials)
    rng = random.Random(1)
    address = f"sqlite:///{place.path / 'mlflow.db'}"
    tracker = Clocked(in_own_process(address, "app-study").open())
    held, tracking_held, started = _held(), _held(tracker.pid), time.thread_time()
    with Path(os.devnull).open("w") as nowhere, Record.open(place.record_path) as record:
        display = TerminalDisplay(
            Console(file=nowhere, force_terminal=True),
            study=study.name,
            metrics=study.shown_metrics,
            num_trials=num_trials,
        )
        record.begin_session()
        session = open_session(study, place, record, made_up.datasets, tracker, display=display)
        session.resend_ended_trials()
        display.recorded(list(record.trials.values()), session.info)
        search = StudySearch(session, dataset_of=lambda _: "0", deaths=Deaths())
        listed = tracker.seconds
        resume = time.thread_time() - started + listed
        memory = (_held() - held) / num_trials
        tracking_memory = (_held(tracker.pid) - tracking_held) / num_trials
        proposals, reports, tracking = [], [], []
        for number in range(NUM_TIMED):
            begun = time.thread_time()
            proposed = search.suggest(str(number))
            key = proposed["trial_key"]
            ready, sent = time.thread_time(), tracker.seconds
            session.start(key)
            density = proposed["trial"]["pruning"]["final_density"]
            history = made_up.history(rng, density)
            for arrived in range(1, len(history.megabatches) + 1):
                known = TrialHistory(history.epochs, history.megabatches[:arrived])
                session.report(key, TrialHistory.from_json(known.to_json()))
            session.finish_trial(key, Outcome.COMPLETE)
            search.on_trial_complete(str(number), {})
            proposals.append(ready - begun)
            reports.append(time.thread_time() - ready)
            tracking.append(tracker.seconds - sent)
        begun = time.thread_time()
        display._console.print(display._render())
        shown = time.thread_time() - begun
    tracker.end()
    return Costs(
        resume,
        listed,
        statistics.median(proposals),
        statistics.median(reports),
        statistics.median(tracking),
        shown,
        memory,
        tracking_memory,
    )


def _held(process: int | str = "self") -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(*, full: bool = False) -> list[Figure]:
    """All figures of this suite; ``full``: up to 10,000 trials instead of 1,000."""
    figures = []
    for size in SIZES if full else SIZES[:2]:
        with tempfile.TemporaryDirectory(prefix="app-study-bench-") as name:
            found = costs(size, Path(name))
        what = f"{size:,} trials"
        loop = found.proposal + found.reports
        figures += [
            Figure(SUITE, f"{what}: the loop, a trial", 1e3 * loop, "ms", "≤ 40"),
            Figure(SUITE, f"{what}: of it the proposal", 1e3 * found.proposal, "ms"),
            Figure(SUITE, f"{what}: tracking, a trial", 1e3 * found.tracking, "ms"),
            Figure(SUITE, f"{what}: the terminal, once", 1e3 * found.shown, "ms"),
            Figure(SUITE, f"{what}: resume", found.resume, "s", "≤ 20"),
            Figure(SUITE, f"{what}: of it the list of runs", found.listed, "s"),
            Figure(SUITE, f"{what}: memory, a trial", found.memory / 1e6, "MB", "≤ 0.1"),
            Figure(SUITE, f"{what}: of tracking", found.tracking_memory / 1e6, "MB"),
        ]
    return figures
