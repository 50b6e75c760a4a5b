"""What a trial costs the driver, by how many the study has had; without Ray, and nothing trained.

A study of so many ended trials is made up, in its record and in MLflow on SQLite, and resumed:
then some more trials are proposed, reported and ended as Tune's loop does it, one after the other,
with the results of a trial that was trained. What tracking does in a process of its own is called
here in turn and timed apart. Ray's own work comes on top. All times are the processor's, so that
other work on the machine troubles them little.
"""

import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.many_runs import BulkStore
from benchmarks.orchestration import EMPTY
from benchmarks.table import Figure
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.results import Outcome, TrialHistory
from study.session.session import open_session
from study.session.terminal import TerminalDisplay
from study.store.folder import StudyFolder, StudyStore
from study.store.record import Record
from study.tracking.mlflow.tracker import MlflowTracker
from study.tracking.run_tracker import RunTracker
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset
from study.trial.description import TrialDescriber
from study.trial.study_description import study_info
from study.tune.searcher import StudySearch
from study.tune.worker_deaths import Deaths

SUITE = "driver"
SIZES = (100, 1_000, 3_000, 10_000)
NUM_TIMED = 20
_SHOWN_A_SECOND = 4


def study_of(num_trials: int) -> StudyConfig:
    """A search of two objectives over five values, of the smallest trials there are."""
    fixed = {k: v for k, v in EMPTY.items() if k not in ("pruning.schedule", "training.lr")}
    return parse_study(
        {
            "name": "many",
            "fixed": fixed | {"stream.num_megabatches": 2, "training.total_samples": 1000},
            "search": {
                "space": {
                    "pruning.final_density": {"low": 0.02, "high": 1.0, "log": True},
                    "pruning.schedule": ["app", "one_shot", "cubic"],
                    "training.lr": {"low": 0.001, "high": 1.0, "log": True},
                    "training.momentum": {"low": 0.0, "high": 0.99},
                    "training.weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
                }
            },
            "objective": {"metrics": ["service_error", "final_density"]},
            "budget": {"trials": num_trials + 10 * NUM_TIMED},
        }
    )


class MadeUpTrials:
    """Trials of a study with the results of one that was trained, made worse or better."""

    def __init__(self, study: StudyConfig) -> None:
        self.study = study
        self.trial = study.compose(self._chosen(random.Random(0)))
        key = dataset_key(self.trial.data)
        self.datasets = {key: load_dataset(key)}
        learner = assemble(self.trial, self.datasets[key])
        for _ in learner.run():
            pass
        self._history = learner.history

    def _chosen(self, rng: random.Random) -> dict[str, Any]:
        return {
            "pruning.final_density": 0.02 ** rng.random(),
            "pruning.schedule": rng.choice(["app", "one_shot", "cubic"]),
            "training.lr": 0.001 ** rng.random(),
            "training.momentum": 0.99 * rng.random(),
            "training.weight_decay": 1e-6 * 1e4 ** rng.random(),
        }

    def history(self, rng: random.Random, density: float) -> TrialHistory:
        """With another error and this density at its end."""
        changed = {"service_error": rng.random(), "final_density": density}
        last = self._history.megabatches[-1]
        last = replace(last, summary={**last.summary, **changed})
        return TrialHistory(self._history.epochs, (*self._history.megabatches[:-1], last))

    def write(self, folder: StudyFolder, num_trials: int) -> None:
        """The record of so many ended trials, and their runs in MLflow beside it."""
        rng = random.Random(num_trials)
        store = BulkStore(folder.path / "mlflow.db")
        tracker = RunTracker(store, {})
        tracker.start_study(study_info(self.study, num_trials=num_trials))
        info = TrialDescriber(self.study, self.datasets).describe(self.trial, number=0)
        with folder.record_path.open("w", encoding="utf-8") as file:
            for number in range(num_trials):
                chosen = self._chosen(rng)
                trial = self.study.compose(chosen)
                key = trial.key()
                history = self.history(rng, chosen["pruning.final_density"])
                for event in self._events(trial, number, chosen, history):
                    file.write(json.dumps({**event, "time": 1e9 + number}) + "\n")
                tracker.start_trial(replace(info, key=key, number=number))
                tracker.log_history(key, history)
        store.insert()

    @staticmethod
    def _events(
        trial: TrialConfig, number: int, chosen: dict[str, Any], history: TrialHistory
    ) -> Iterator[dict[str, Any]]:
        key = trial.key()
        yield {
            "event": "trial",
            "key": key,
            "number": number,
            "source": "search",
            "proposed_by": "tpe",
            "chosen": chosen,
            "config": trial.to_dict(),
        }
        yield {"event": "history", "key": key, "history": history.to_dict()}
        yield {"event": "outcome", "key": key, "outcome": "complete", "reason": ""}


class Clocked:
    """A tracker whose calls are timed."""

    def __init__(self, tracker: RunTracker) -> None:
        self._tracker = tracker
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._tracker, name)
        if not callable(method):
            return method

        def timed(*given: Any, **named: Any) -> Any:
            started = time.thread_time()
            try:
                return method(*given, **named)
            finally:
                self.seconds += time.thread_time() - started

        return timed


@dataclass(frozen=True)
class Costs:
    """Seconds of the processor, but for ``memory``, in bytes a trial.

    Attributes:
        resume: Until the first trial is proposed.
        proposal: Of a trial: what the sampler and the record take.
        reports: Of a trial, from its start to its end.
        tracking: Of a trial in MLflow.
        shown: To draw the terminal once.
    """

    resume: float
    proposal: float
    reports: float
    tracking: float
    shown: float
    memory: float


def costs(num_trials: int, folder: Path) -> Costs:
    """Of a study that has had so many trials."""
    study = study_of(num_trials)
    made_up = MadeUpTrials(study)
    place = StudyStore(folder).folder(study.name)
    place.path.mkdir(parents=True)
    made_up.write(place, num_trials)
    rng = random.Random(1)
    tracker = Clocked(MlflowTracker(f"sqlite:///{place.path / 'mlflow.db'}"))
    held, started = _held(), time.thread_time()
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
        resume = time.thread_time() - started
        memory = (_held() - held) / num_trials
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
            took = time.thread_time() - ready
            proposals.append(ready - begun)
            tracking.append(tracker.seconds - sent)
            reports.append(took - tracking[-1])
        begun = time.thread_time()
        display._console.print(display._render())
        shown = time.thread_time() - begun
    return Costs(
        resume,
        statistics.median(proposals),
        statistics.median(reports),
        statistics.median(tracking),
        shown,
        memory,
    )


def _held() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
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
            Figure(SUITE, f"{what}: memory, a trial", found.memory / 1e6, "MB", "≤ 0.1"),
        ]
    return figures
