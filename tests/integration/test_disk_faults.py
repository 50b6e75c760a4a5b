"""Real disks that are full or read-only, and a database that is locked: never a wrong number."""

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from study.results import Outcome
from tests.helpers.launched import LaunchedStudy, numbers, undisturbed

pytestmark = [pytest.mark.faults, pytest.mark.ray, pytest.mark.timeout(900)]

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
DISK_BYTES = 3_000_000
# Of a trial with 256 hidden units a checkpoint takes some 500 kB, all of the record 200 kB.
ROOM_FOR_THE_RECORD_ALONE = 350_000
RAW: dict[str, Any] = {
    "name": "disk",
    "fixed": {
        "data.dataset": "synthetic",
        "data.num_examples": 300,
        "data.num_test_examples": 40,
        "data.image_size": 8,
        "model.architecture": "mlp",
        "model.hidden_sizes": [256],
        "training.total_samples": 3000,
        "training.batch_size": 16,
        "pruning.schedule": "app",
        "pruning.criterion": "magnitude",
        "stream.num_megabatches": 3,
    },
    "axes": {"pruning.final_density": [0.5, 0.3]},
    "resources": {"max_concurrent": 1},
    "tracking": {"log_models": "none"},
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)], check=True
    )
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


class StudyOnDisk(LaunchedStudy):
    """A study whose folder is on another disk than MLflow and the reports."""

    def __init__(self, folder: Path, disk: Path) -> None:
        super().__init__(folder, RAW)
        (folder / "app-studies").symlink_to(disk)


def fill(disk: Path, *, leave: int) -> Path:
    """Leave so many bytes free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
    filler = disk / "filler"
    filler.write_bytes(b"\0" * max(0, free - leave))
    return filler


def assert_undisturbed(study: LaunchedStudy) -> None:
    record = study.record
    assert record.is_finished
    assert [trial.outcome for trial in record.trials.values()] == [Outcome.COMPLETE] * 2
    for trial in record.trials.values():
        assert numbers(trial.history) == undisturbed(trial)
    code, said = study.call("check", "disk")
    assert code == 0, said


@NEEDS_ROOT
def test_a_disk_without_room_for_checkpoints_costs_no_trial(tmp_path: Path, disk: Path) -> None:
    study = StudyOnDisk(tmp_path, disk)
    fill(disk, leave=ROOM_FOR_THE_RECORD_ALONE)
    code, said = study.call("launch", "study.yaml")
    assert code == 0, said
    assert "a checkpoint could not be written" in said
    assert "No space left on device" in said
    assert_undisturbed(study)


@NEEDS_ROOT
def test_a_disk_without_room_for_the_record_ends_the_study_which_goes_on_once_there_is(
    tmp_path: Path, disk: Path
) -> None:
    study = StudyOnDisk(tmp_path, disk)
    filler = fill(disk, leave=16_000)
    code, said = study.call("launch", "study.yaml")
    assert code == 2, said
    assert "Traceback" not in said
    assert "No space left on device" in said
    assert "app-study resume disk" in said
    filler.unlink()
    code, said = study.call("resume", "disk")
    assert code == 0, said
    assert_undisturbed(study)


@NEEDS_ROOT
def test_a_read_only_disk_is_refused_before_anything_starts(tmp_path: Path, disk: Path) -> None:
    study = StudyOnDisk(tmp_path, disk)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    code, said = study.call("launch", "study.yaml")
    assert code == 2, said
    assert "Traceback" not in said
    assert "Read-only file system" in said
    assert list(disk.iterdir()) == []


def test_a_database_locked_for_20_seconds_is_waited_for(tmp_path: Path) -> None:
    study = LaunchedStudy(tmp_path, RAW)
    with study.start_in_a_new_interpreter("launch", "study.yaml") as driver:
        study.wait_until(lambda record: bool(record.trials), driver, 300)
        with closing(sqlite3.connect(tmp_path / "mlflow.db", timeout=60)) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(20)
            other.rollback()
        said, _ = driver.communicate(timeout=400)
    assert driver.returncode == 0, said
    assert_undisturbed(study)
