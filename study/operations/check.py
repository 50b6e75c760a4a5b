"""Whether a study's checkpoints and runs agree with its record, and their repair."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from study.config.study_config import StudyConfig
from study.operations.sync import sync, tracked_trials
from study.results import Outcome
from study.session.session import open_session
from study.store.folder import StudyFolder
from study.store.record import Record
from study.tracking.audit import AuditedStore, ExpectedTrial, RunFindings, audit_runs, repair_runs
from study.tracking.tracker import Tracker
from study.training.checkpoint import CheckpointFolder
from study.trial.read_data import load_and_check


@dataclass(frozen=True)
class Finding:
    """One thing that disagrees with the record; ``trial`` is empty where it is the study's."""

    place: Literal["MLflow", "checkpoints"]
    trial: str
    text: str


def check_study(folder: StudyFolder, record: Record, store: AuditedStore) -> list[Finding]:
    """Everything that disagrees with the record.

    Raises:
        StorageError: The trials' folders cannot be read from the study's URL.
    """
    damaged = folder.pull_trials()
    runs = _audit(folder, record, store)
    found = [Finding("MLflow", key, text) for key, text in runs.texts]
    found += [
        Finding("checkpoints", key, f"{name} is damaged")
        for key, names in damaged
        for name in names
    ]
    return found + [finding for finding, _ in _checkpoint_faults(folder, record)]


def repair_study(
    study: StudyConfig, folder: StudyFolder, record: Record, store: AuditedStore, tracker: Tracker
) -> None:
    """Correct checkpoints and runs by the record; what cannot be, the next check finds again.

    Raises:
        StorageError: The repaired folders cannot be written to the study's URL.
        ConfigError: The data, whose sizes are part of what runs hold, cannot be read.
        TrackingError: The tracking store fails, or has another study of this name.
    """
    for _, repair in list(_checkpoint_faults(folder, record)):
        repair()
    folder.push_trials()
    findings = _audit(folder, record, store)
    if findings.texts:
        datasets = load_and_check(tracked_trials(study, record))
        repair_runs(store, findings)
        sync(open_session(study, folder, record, datasets, tracker))


def _audit(folder: StudyFolder, record: Record, store: AuditedStore) -> RunFindings:
    expected = {
        key: ExpectedTrial(trial.history, trial.outcome or Outcome.INTERRUPTED)
        for key, trial in record.all.items()
    }
    return audit_runs(
        store, folder.name, expected, study_id=record.study_id, outcome=_outcome(record)
    )


def _outcome(record: Record) -> Outcome:
    return Outcome.COMPLETE if record.is_finished else Outcome.INTERRUPTED


def _checkpoint_faults(
    folder: StudyFolder, record: Record
) -> Iterator[tuple[Finding, Callable[[], None]]]:
    """What is wrong with the trials' folders, each with its repair."""
    for path in sorted((folder.path / "trials").glob("[!.]*/")):
        key = path.name
        if key not in record.all:
            finding = Finding("checkpoints", key, "no such trial in the record")
            yield finding, partial(shutil.rmtree, path)
            continue
        checkpoints = CheckpointFolder(path / "checkpoints")
        for what, files in (
            ("is damaged", checkpoints.torn()),
            ("was left by a killed process", checkpoints.leftovers()),
        ):
            for file in files:
                finding = Finding("checkpoints", key, f"{file.name} {what}")
                yield finding, partial(file.unlink, missing_ok=True)
