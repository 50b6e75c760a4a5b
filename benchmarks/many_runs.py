"""A finished study of very many runs in MLflow, made in seconds.

The rows are those that a study writes: MLflow's own calls are recorded and their rows inserted
together. Left out is what no report on a finished study reads: the values of metrics before their
last, and the trials' own files (the study's own run has the same tables, of all trials).
"""

import sqlite3
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

from benchmarks.studies import DIGITS
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.results import MegabatchRecord, TrialHistory
from study.tracking import names
from study.tracking.artifacts.history import HistoryTables, history_tables
from study.tracking.artifacts.runs_table import write_runs
from study.tracking.facts import DatasetInfo, TrialInfo
from study.tracking.metric_points import MetricPoint
from study.tracking.mlflow.runs import MlflowStore
from study.tracking.run_store import FINISHED, RUNNING, StoredRun
from study.tracking.run_tracker import RunTracker
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset
from study.trial.description import TrialDescriber
from study.trial.study_description import study_info

NUM_MEGABATCHES = 20
NUM_SEEDS = 4
METHODS = ("dense", "one_shot", "app", "cubic")
_AT_ONCE = 500  # histories as objects take far more memory than as tables
_EXPERIMENT = "app-study"


@dataclass
class _Rows:
    """One run's rows."""

    title: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, tuple[float, int]] = field(default_factory=dict)  # value, step


class BulkStore(MlflowStore):
    """Keeps the runs of trials until :meth:`insert`; the study's own goes to MLflow at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite:///{path}", _EXPERIMENT)
        self._path = path
        self._rows: dict[str, _Rows] = {}
        self.study_run_id = ""
        self._has_dataset = False

    def find(self, tags: Mapping[str, str], status: str | None = None) -> list[StoredRun]:
        """None: all of them are new."""
        del tags, status
        return []

    def create(self, title: str, tags: Mapping[str, str], *, started_at: float) -> StoredRun:
        """A run in MLflow for the study, one that is kept for a trial."""
        if tags[names.TAG_KIND] == names.KIND_STUDY:
            made = super().create(title, tags, started_at=started_at)
            self.study_run_id = made.run_id
            return made
        run_id = uuid.uuid4().hex
        self._rows[run_id] = _Rows(title, dict(tags))
        return StoredRun(run_id, RUNNING, 0, dict(tags), {}, {})

    def log_params(
        self, run_id: str, params: Mapping[str, object], metrics: Iterable[MetricPoint]
    ) -> None:
        """As text, which is what MLflow makes of them."""
        if run_id == self.study_run_id:
            super().log_params(run_id, params, metrics)
            return
        self._rows[run_id].params |= {key: str(value) for key, value in params.items()}
        self.log_metrics(run_id, metrics)

    def log_metrics(self, run_id: str, points: Iterable[MetricPoint]) -> None:
        """The last value of each metric."""
        self._rows[run_id].metrics |= {p.name: (p.value, p.step) for p in points}

    def add_dataset(self, run_id: str, dataset: DatasetInfo) -> None:
        """As an input of the study's own run; :meth:`insert` makes it one of the trials."""
        del run_id
        if not self._has_dataset:
            super().add_dataset(self.study_run_id, dataset)
            self._has_dataset = True

    def log_text(self, run_id: str, text: str, artifact: str) -> None:
        """The study's alone."""
        if run_id == self.study_run_id:
            super().log_text(run_id, text, artifact)

    def inserted(self, study: str) -> list[StoredRun]:
        """The trials of a study as MLflow has them now."""
        wanted = {names.TAG_KIND: names.KIND_TRIAL, names.TAG_STUDY: study}
        return super().find(wanted)

    def insert(self) -> None:
        """All trials into MLflow's tables, complete."""
        with closing(sqlite3.connect(self._path)) as database, database:
            (experiment, place) = database.execute(
                "SELECT experiment_id, artifact_location FROM experiments WHERE name = ?",
                [_EXPERIMENT],
            ).fetchone()
            database.executemany(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, "
                "user_id, status, start_time, end_time, source_version, lifecycle_stage, "
                "artifact_uri, experiment_id) "
                "VALUES (?, ?, 'UNKNOWN', '', '', '', ?, ?, ?, '', 'active', ?, ?)",
                (
                    (key, rows.title, FINISHED, n, n + 1, f"{place}/{key}/artifacts", experiment)
                    for n, (key, rows) in enumerate(self._rows.items())
                ),
            )
            for table, values in (("tags", self._tags()), ("params", self._params())):
                database.executemany(
                    f"INSERT INTO {table} (run_uuid, key, value) VALUES (?, ?, ?)", values
                )
            database.executemany(
                "INSERT INTO latest_metrics (run_uuid, key, value, step, timestamp, is_nan) "
                "VALUES (?, ?, ?, ?, 0, ?)",
                self._metrics(),
            )
            (dataset,) = database.execute("SELECT dataset_uuid FROM datasets").fetchone()
            inputs = [(uuid.uuid4().hex, run_id) for run_id in self._rows]
            database.executemany(
                "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, "
                "destination_id) VALUES (?, 'DATASET', ?, 'RUN', ?)",
                ((own, dataset, run_id) for own, run_id in inputs),
            )
            database.executemany(
                "INSERT INTO input_tags (input_uuid, name, value) "
                "VALUES (?, 'mlflow.data.context', 'training')",
                ((own,) for own, _ in inputs),
            )

    def _tags(self) -> Iterator[tuple[str, str, str]]:
        for run_id, rows in self._rows.items():
            ended = {names.TAG_OUTCOME: "complete", "mlflow.runName": rows.title}
            for key, value in (rows.tags | ended).items():
                yield run_id, key, value

    def _params(self) -> Iterator[tuple[str, str, str]]:
        for run_id, rows in self._rows.items():
            for key, value in rows.params.items():
                yield run_id, key, value

    def _metrics(self) -> Iterator[tuple[str, str, float, int, bool]]:
        for run_id, rows in self._rows.items():
            for key, (value, step) in rows.metrics.items():
                is_nan = bool(np.isnan(value))
                yield run_id, key, 0.0 if is_nan else value, step, is_nan


def make_runs(folder: Path, *, name: str, num_runs: int) -> str:
    """A study of ``num_runs`` complete trials in ``folder``, and MLflow's address there."""
    study = parse_study(
        {
            "name": name,
            "fixed": {
                **{k: v for k, v in DIGITS.items() if not k.startswith("pruning.")},
                "stream.num_megabatches": NUM_MEGABATCHES,
                "training.total_samples": 4000,
            },
            "search": {
                "space": {
                    "pruning.final_density": {"low": 0.02, "high": 1.0, "log": True},
                    "pruning.schedule": list(METHODS),
                }
            },
            "objective": {"metrics": ["service_error", "final_density"]},
            "budget": {"trials": num_runs},
        }
    )
    store = BulkStore(folder / "mlflow.db")
    tracker = RunTracker(store, {})
    tracker.start_study(study_info(study, num_trials=num_runs))
    parts = []
    histories: dict[str, TrialHistory] = {}
    for info, history in _trials(study, num_runs):
        tracker.start_trial(info)
        tracker.log_history(info.key, TrialHistory((), history.megabatches[-1:]))
        histories[info.key] = history
        if len(histories) == _AT_ONCE:
            parts.append(history_tables(histories))
            histories = {}
    if histories:
        parts.append(history_tables(histories))
    store.insert()
    with tempfile.TemporaryDirectory() as tables:
        _joined(parts).write(Path(tables))
        write_runs(Path(tables) / names.RUNS_ARTIFACT, store.inserted(name))
        store.log_folder(store.study_run_id, Path(tables))
    store.close(store.study_run_id, {names.TAG_OUTCOME: "complete"}, FINISHED, ended_at=0.0)
    return f"sqlite:///{folder / 'mlflow.db'}"


def _joined(parts: Sequence[HistoryTables]) -> HistoryTables:
    return HistoryTables(
        megabatches=pa.concat_tables([part.megabatches for part in parts]),
        epochs=pa.concat_tables([part.epochs for part in parts]),
        layers=pa.concat_tables([part.layers for part in parts]),
    )


def _trials(study: StudyConfig, num_runs: int) -> Iterator[tuple[TrialInfo, TrialHistory]]:
    """One trial of each method is trained; the others are it with other numbers."""
    trained = {method: _trained(study, method) for method in METHODS}
    rng = np.random.default_rng(0)
    for number in range(num_runs):
        method = METHODS[number % len(METHODS)]
        seed = number // len(METHODS) % NUM_SEEDS
        density = 1.0 if method == "dense" else round(float(0.02 ** rng.random()), 4)
        info, history = trained[method]
        made = replace(
            info,
            key=f"{number:012x}",
            number=number,
            title=f"{method} d={density:.2g} T={NUM_MEGABATCHES} seed={seed}",
            params={**info.params, "pruning.final_density": density, "seed": seed},
            hyperparameters={
                **info.hyperparameters, "pruning.final_density": density, "seed": float(seed)
            },
        )  # fmt: skip
        yield made, _varied(history, density, float(rng.normal(0.0, 0.02)))


def _trained(study: StudyConfig, method: str) -> tuple[TrialInfo, TrialHistory]:
    target = {} if method == "dense" else {"pruning.final_density": 0.1}
    trial = study.compose({"pruning.schedule": method, **target})
    key = dataset_key(trial.data)
    dataset = load_dataset(key)
    learner = assemble(trial, dataset)
    for _ in learner.run():
        pass
    return TrialDescriber(study, {key: dataset}).describe(trial, number=0), learner.history


def _varied(history: TrialHistory, density: float, harm: float) -> TrialHistory:
    """The same with errors worse by ``harm`` and by few weights, and that density at the end."""

    def changed(metrics: Mapping[str, float]) -> dict[str, float]:
        made: dict[str, Any] = {}
        for name, value in metrics.items():
            if name.endswith("density"):
                made[name] = value if density == 1.0 else value ** (np.log(density) / np.log(0.1))
            elif "error" in name and value <= 1:
                made[name] = float(np.clip(value + harm + 0.002 / density, 0, 1))
            else:
                made[name] = value
        return made

    def megabatch(record: MegabatchRecord) -> MegabatchRecord:
        return replace(record, metrics=changed(record.metrics), summary=changed(record.summary))

    return TrialHistory(history.epochs, tuple(megabatch(m) for m in history.megabatches))
