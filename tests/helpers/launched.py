"""Real studies on a real Ray, each in a process of its own, and what they leave."""

import contextlib
import io
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from mlflow.entities import Run

from study.cli import main
from study.config.plugins import load_builtin_plugins
from study.config.trial import parse_trial
from study.metrics import MEASURED
from study.results import TrialHistory
from study.store.record import Record, RecordedTrial
from study.tracking import names
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.forked import ROOT, ForkedCommand, fork_server

with warnings.catch_warnings():
    # MLflow's models use what SQLAlchemy deprecates, and are configured when a client is made.
    warnings.filterwarnings("ignore", "The ``noload`` loader strategy", DeprecationWarning)
    from mlflow import MlflowClient
    from mlflow.store.tracking import sqlalchemy_store  # noqa: F401  # configures them

load_builtin_plugins()
fork_server()

WAIT_S = 600  # for a call to end; against what hangs, not against what is slow
# Trials so small that what surrounds them is what takes time; how long they are is each test's.
SMALL: dict[str, Any] = {
    "data.dataset": "synthetic",
    "data.num_examples": 400,
    "data.num_test_examples": 40,
    "data.image_size": 8,
    "model.architecture": "mlp",
    "model.hidden_sizes": [12],
    "training.batch_size": 16,
}


class LaunchedStudy:
    """A folder in which ``app-study`` is called; MLflow and reports lie there too.

    Args:
        folder: Several studies may be launched in one.
        raw: What the study's file says.
        file: Its name.
    """

    def __init__(self, folder: Path, raw: Mapping[str, Any], file: str = "study.yaml") -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        self.name = str(raw["name"])
        (folder / file).write_text(yaml.safe_dump(dict(raw)), encoding="utf-8")

    def start(self, *arguments: str) -> ForkedCommand:
        """Call app-study in the background, in a process group of its own."""
        return ForkedCommand(arguments, self.folder, self._environment())

    def call(self, *arguments: str) -> tuple[int, str]:
        """Call app-study: its exit code and all that it said."""
        with self.start(*arguments) as process:
            said, _ = process.communicate(timeout=WAIT_S)
        assert process.returncode is not None
        return process.returncode, said

    def start_in_a_new_interpreter(self, *arguments: str) -> subprocess.Popen[str]:
        """As :meth:`start`, as a process like a user's; its output can be read as it comes."""
        return subprocess.Popen(
            [sys.executable, "-m", "study.cli", *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def call_in_a_new_interpreter(self, *arguments: str) -> tuple[int, str]:
        """As :meth:`call`, and hear what its imports say too."""
        with self.start_in_a_new_interpreter(*arguments) as process:
            said, _ = process.communicate(timeout=WAIT_S)
        return process.returncode, said

    def _environment(self) -> dict[str, str]:
        # Ray sets it in a process that has started one; what is forked must decide anew.
        own = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_MODE"}
        return {
            **own,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }

    def call_here(self, *arguments: str) -> tuple[int, str]:
        """Call app-study in this process, which has imported already what takes it seconds."""
        said, code = io.StringIO(), 0
        with contextlib.ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["app-study", *arguments])
            for name, value in self.environment.items():
                patch.setenv(name, value)
            stack.enter_context(contextlib.redirect_stdout(said))
            stack.enter_context(contextlib.redirect_stderr(said))
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("default")  # as in a process of its own
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        return code, said.getvalue()

    @property
    def client(self) -> MlflowClient:
        """MLflow's view of the store that is the default."""
        return MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")

    @property
    def record(self) -> Record:
        """The record as it is now."""
        return Record.read(self.folder / "app-studies" / self.name / "record.jsonl")

    def wait_until(
        self,
        is_so: Callable[[Record], bool],
        process: ForkedCommand | subprocess.Popen[str],
        timeout_s: float,
    ) -> Record:
        """Wait for a moment in the life of a running study."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            record = self.record
            if is_so(record):
                return record
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        raise AssertionError(f"not within {timeout_s} s: {self.record.trials}")

    def runs(self, kind: str = names.KIND_TRIAL) -> list[Run]:
        """The runs in MLflow, in the order of their trials."""
        return self.runs_at(self.folder / "mlflow.db", kind)

    @staticmethod
    def runs_at(database: Path, kind: str = names.KIND_TRIAL) -> list[Run]:
        """The runs in another store."""
        client = MlflowClient(f"sqlite:///{database}")
        (experiment,) = client.search_experiments(filter_string="name = 'app-study'")
        runs = client.search_runs(
            [experiment.experiment_id], f"tags.`{names.TAG_KIND}` = '{kind}'"
        )
        return sorted(runs, key=lambda run: int(run.data.tags.get(names.TAG_TRIAL_NUMBER, 0)))

    def logged_steps(self, run: Run, metric: str) -> list[int]:
        """The steps at which a metric was logged, as often as it was."""
        return [point.step for point in self.client.get_metric_history(run.info.run_id, metric)]


def undisturbed(trial: RecordedTrial) -> list[object]:
    """The numbers of a recorded trial's configuration, trained here and now without Ray."""
    config = parse_trial(trial.config)
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as every trial with one CPU
    try:
        learner = assemble(config, load_dataset(dataset_key(config.data)))
        for _ in learner.run():
            pass
    finally:
        torch.set_num_threads(num_threads)
    return numbers(learner.history)


def descendants(pid: int) -> dict[int, str]:
    """Process id → command line of all that descends from a process."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(None, 2) for line in listed.splitlines()]
    found: dict[int, str] = {}
    parents = {pid}
    while parents:
        children = {int(c): args for c, p, args in lines if int(p) in parents and args}
        parents = set(children) - set(found)
        found |= children
    return found


def alive(pids: Iterable[int]) -> set[int]:
    """Those that still run; a zombie does not."""
    return {pid for pid in pids if _state(pid) not in ("", "Z")}


def _state(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split()[0]


def numbers(history: TrialHistory) -> list[object]:
    """All that was reported, but for the times."""
    epochs = [(e.megabatch_index, e.epoch_index, e.step, dict(e.metrics)) for e in history.epochs]
    megabatches = [
        (
            m.megabatch_index,
            m.kept_epoch_index,
            {name: value for name, value in m.metrics.items() if name not in MEASURED},
            dict(m.summary),
            m.layers,
        )
        for m in history.megabatches
    ]
    return [*epochs, *megabatches]
