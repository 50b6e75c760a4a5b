"""What a trial costs in MLflow: on SQLite, and on a server on loopback that keeps SQLite.

In a study a thread of its own sends; what the trial waits for is to hand over. Both are measured,
as shares of the wall time of the trial whose records are sent.
"""

import contextlib
import functools
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.studies import DIGITS, one_thread, study_of
from benchmarks.table import Figure
from study.config.study import renamed
from study.config.study_config import StudyConfig
from study.results import Outcome, TrialHistory
from study.tracking.background import BackgroundTracker
from study.tracking.facts import TrialInfo
from study.tracking.mlflow.tracker import MlflowTracker
from study.tracking.tracker import Tracker
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset
from study.trial.description import TrialDescriber
from study.trial.study_description import study_info

SUITE = "tracking"
NUM_MEGABATCHES = 8
SERVER_STARTS_WITHIN_S = 120.0


@dataclass(frozen=True)
class Trained:
    """A trial that was trained: what a tracker logs of it, and the seconds that it took."""

    study: StudyConfig
    infos: tuple[TrialInfo, ...]
    history: TrialHistory
    seconds: float


@dataclass(frozen=True)
class Cost:
    """Of telling a tracker of one trial: wall time and CPU time of this process, s."""

    wall: float
    cpu: float


def measure(*, full: bool = False) -> list[Figure]:
    """All figures of this suite; ``full``: 11 trials are logged instead of 5."""
    trained = train(num_trials=11 if full else 5)
    figures = [Figure(SUITE, f"a trial of {NUM_MEGABATCHES} megabatches", trained.seconds, "s")]
    with tempfile.TemporaryDirectory(prefix="app-study-bench-") as name:
        folder = Path(name)
        figures += _compared("SQLite", f"sqlite:///{folder / 'mlflow.db'}", trained)
        with server(folder / "server") as uri:
            figures += _compared("server", uri, trained)
    return figures


def _compared(store: str, uri: str, trained: Trained) -> list[Figure]:
    background = BackgroundTracker(MlflowTracker(uri), notice=lambda _: None)
    waiting = logged(background, "handed-over", trained)
    if background.undelivered is not None:
        raise RuntimeError(f"{store} has not got all: {background.undelivered.reason}")
    sending = logged(MlflowTracker(uri), "sent", trained)

    def figure(what: str, seconds: float, target: str = "") -> Figure:
        return Figure(SUITE, f"{store}: {what}", 100 * seconds / trained.seconds, "%", target)

    return [
        figure("the trial waits", waiting.wall, "< 1"),
        figure("the thread's CPU", sending.cpu),
        figure("the trial would wait without the thread", sending.wall),
    ]


def train(*, num_trials: int) -> Trained:
    """Train one trial, to be logged as ``num_trials`` of different seeds."""
    fixed = DIGITS | {
        "stream.num_megabatches": NUM_MEGABATCHES,
        "training.total_samples": 40_000,
    }
    study = study_of(fixed, num_trials=num_trials)
    trials = list(study.corners())
    key = dataset_key(trials[0].data)
    dataset = load_dataset(key)
    describer = TrialDescriber(study, {key: dataset})
    learner = assemble(trials[0], dataset)
    with one_thread():
        started = time.perf_counter()
        for _ in learner.run():
            pass
        seconds = time.perf_counter() - started
    infos = tuple(describer.describe(trial, number=n) for n, trial in enumerate(trials))
    return Trained(study, infos, learner.history, seconds)


def logged(tracker: Tracker, name: str, trained: Trained) -> Cost:
    """Tell ``tracker`` of the trials one by one, megabatch by megabatch; the median trial.

    The first trial opens what the store opens once, and does not count.
    """
    info = study_info(renamed(trained.study, name), num_trials=len(trained.infos))
    tracker.start_study(info)
    costs = [
        _cost(functools.partial(_log_trial, tracker, trial, trained.history))
        for trial in trained.infos
    ]
    tracker.finish_study({t.key: trained.history for t in trained.infos}, Outcome.COMPLETE)
    return Cost(
        wall=statistics.median(cost.wall for cost in costs[1:]),
        cpu=statistics.median(cost.cpu for cost in costs[1:]),
    )


def _log_trial(tracker: Tracker, trial: TrialInfo, history: TrialHistory) -> None:
    tracker.start_trial(trial)
    for count in range(1, len(history.megabatches) + 1):
        megabatches = history.megabatches[:count]
        epochs = [e for e in history.epochs if e.megabatch_index < count]
        tracker.log_history(trial.key, TrialHistory(tuple(epochs), megabatches))
    tracker.finish_trial(trial.key, history, Outcome.COMPLETE, "")


def _cost(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    return Cost(time.perf_counter() - wall, time.thread_time() - cpu)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """A tracking server on loopback that keeps its runs in SQLite, and its address."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    files = ["--artifacts-destination", str(folder / "artifacts")]
    place = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *store, *files, *place],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        uri = f"http://127.0.0.1:{port}"
        _wait_for(uri, process)
        yield uri
    finally:
        process.terminate()
        process.wait()


def _wait_for(uri: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SERVER_STARTS_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{uri}/health", timeout=5).close()
            return
        time.sleep(0.2)
    raise RuntimeError(f"the tracking server at {uri} does not answer")
