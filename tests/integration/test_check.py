"""What app-study check finds wrong with runs and checkpoints, and that its repair is whole."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.entities import Metric

from study.config.study_config import StudyConfig
from study.operations.check import check_study, repair_study
from study.operations.sync import sync
from study.results import Outcome
from study.session.session import open_session
from study.store.folder import StudyFolder
from study.store.record import Record
from study.tracking import names
from study.tracking.mlflow.runs import MlflowStore
from study.tracking.run_tracker import RunTracker
from study.tracking.tracker import TrackingError
from study.training.checkpoint import CheckpointFolder
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.small_studies import history, search

POINTS = [{"pruning.schedule": "dense", "stream.num_megabatches": [2, 4]}]


def make(path: Path) -> None:
    """A finished study of two trials, one failed, in a store of its own."""
    study = search(points=POINTS, trials=0)
    folder = StudyFolder(path / "small")
    folder.write_config(study)
    with Record.open(folder.record_path) as record:
        record.begin_session(version="0")
        for chosen, outcome in zip(study.points, (Outcome.COMPLETE, Outcome.ERROR), strict=True):
            trial = study.compose(chosen)
            key = trial.key()
            record.add_trial(key, source="point", chosen=chosen, config=trial.to_dict())
            record.add_history(key, history(2))
            record.add_outcome(key, outcome, "" if outcome is Outcome.COMPLETE else "it broke")
            checkpoints = CheckpointFolder(folder.trial_path(key) / "checkpoints")
            checkpoints.save({"a": 1}, position=1)
        record.finish()
    data = dataset_key(study.compose(study.points[0]).data)
    tracker = RunTracker(MlflowStore(f"sqlite:///{path / 'mlflow.db'}", "app-study"), {})
    sync(open_session(study, folder, record, {data: load_dataset(data)}, tracker))


class Ended:
    """A copy of it, to be damaged."""

    def __init__(self, path: Path) -> None:
        self.folder = StudyFolder(path / "small")
        self.study: StudyConfig = self.folder.read_config()
        self.store = MlflowStore(f"sqlite:///{path / 'mlflow.db'}", "app-study")
        self.record = Record.read(self.folder.record_path)
        self.keys = list(self.record.trials)

    def checkpoints(self, key: str) -> CheckpointFolder:
        return CheckpointFolder(self.folder.trial_path(key) / "checkpoints")

    def run(self, index: int) -> str:
        (run,) = self.store.find({names.TAG_TRIAL_KEY: self.keys[index]})
        return run.run_id

    def found(self) -> list[str]:
        return [
            f"{finding.place}: {finding.text}"
            for finding in check_study(self.folder, self.record, self.store)
        ]

    def repair(self) -> None:
        tracker = RunTracker(self.store, {})
        repair_study(self.study, self.folder, self.record, self.store, tracker)


def delete_a_run(ended: Ended) -> None:
    ended.store.remove(ended.run(0))


def double_a_run(ended: Ended) -> None:
    tags = {
        names.TAG_KIND: names.KIND_TRIAL,
        names.TAG_STUDY: "small",
        names.TAG_STUDY_ID: ended.record.study_id,
        names.TAG_TRIAL_KEY: ended.keys[0],
    }
    ended.store.create("twice", tags, started_at=0.0)


def add_an_orphan(ended: Ended) -> None:
    tags = {
        names.TAG_KIND: names.KIND_TRIAL,
        names.TAG_STUDY: "small",
        names.TAG_STUDY_ID: ended.record.study_id,
        names.TAG_TRIAL_KEY: "unknown",
    }
    ended.store.create("orphan", tags, started_at=0.0)


def log_twice(ended: Ended) -> None:
    ended.store._client.log_batch(ended.run(0), [Metric("density", 0.5, 5, 1)])


def log_another_value(ended: Ended) -> None:
    ended.store._client.log_batch(ended.run(0), [Metric("density", 0.75, 5, 7)])


def close_wrongly(ended: Ended) -> None:
    ended.store.close(ended.run(1), {names.TAG_OUTCOME: "complete"}, "FINISHED", ended_at=0.0)


def leave_running(ended: Ended) -> None:
    (run,) = ended.store.find({names.TAG_TRIAL_KEY: ended.keys[0]})
    ended.store.reopen(run, {names.TAG_OUTCOME: names.OUTCOME_RUNNING})


def delete_the_parent(ended: Ended) -> None:
    (run,) = ended.store.find({names.TAG_KIND: names.KIND_STUDY})
    ended.store.remove(run.run_id)


def tear_a_checkpoint(ended: Ended) -> None:
    checkpoints = ended.checkpoints(ended.keys[0])
    (path,) = checkpoints.folder.glob("*.pt")
    path.write_bytes(path.read_bytes()[:-3])


def leave_half_a_checkpoint(ended: Ended) -> None:
    (ended.checkpoints(ended.keys[0]).folder / ".writing-1").write_bytes(b"")


def leave_checkpoints_of_nobody(ended: Ended) -> None:
    ended.checkpoints("nobody").save({"a": 1}, position=1)


DAMAGES: list[tuple[Callable[[Ended], None], str]] = [
    (delete_a_run, "MLflow: has no run"),
    (double_a_run, "MLflow: has a second run"),
    (add_an_orphan, "MLflow: no such trial in the record"),
    (log_twice, "MLflow: 1 values logged twice, e.g. density at step 1"),
    (log_another_value, "MLflow: 1 values not in the record, e.g. density at step 7"),
    (close_wrongly, "MLflow: its run is FINISHED and complete, not FAILED and error"),
    (leave_running, "MLflow: its run is RUNNING and running, not FINISHED and complete"),
    (delete_the_parent, "MLflow: the study has no run"),
    (tear_a_checkpoint, "is damaged"),
    (leave_half_a_checkpoint, "checkpoints: .writing-1 was left by a killed process"),
    (leave_checkpoints_of_nobody, "checkpoints: no such trial in the record"),
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original")
    make(path)
    return path


@pytest.fixture
def ended(original: Path, tmp_path: Path) -> Ended:
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return Ended(tmp_path)


def test_a_study_that_nothing_befell_is_as_its_record_says(ended: Ended) -> None:
    assert ended.found() == []


@pytest.mark.parametrize(
    ("damage", "text"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES]
)
def test_damage_is_found_and_repaired(
    damage: Callable[[Ended], None], text: str, ended: Ended
) -> None:
    damage(ended)
    found = ended.found()
    assert any(text in line for line in found), found
    ended.repair()
    assert ended.found() == []


def test_what_is_no_trials_folder_is_let_be(ended: Ended) -> None:
    trials = ended.folder.path / "trials"
    (trials / ".hidden").mkdir()
    for name in (".DS_Store", ".nfs0001", "notes.txt"):
        (trials / name).write_bytes(b"")
    assert ended.found() == []


def test_another_study_of_the_name_is_refused_by_sync_and_left_alone_by_the_repair(
    ended: Ended, tmp_path: Path
) -> None:
    make(tmp_path / "other")
    other = Ended(tmp_path / "other")
    other.store = ended.store
    assert "MLflow: the study has no run" in other.found()
    with pytest.raises(TrackingError, match="another study called 'small'"):
        other.repair()
    assert ended.found() == []
