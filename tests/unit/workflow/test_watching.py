"""A study is watched as long as somebody works on it, its confirmation included."""

from pathlib import Path

import filelock
import pytest

from study.files import RECORD_FILE
from study.store.lock import LOCK_FILE
from study.store.record import Record
from study.store.store import StorePlace
from study.workflow import watching
from study.workflow.watching import watch_study


def begun(root: Path, name: str, confirmation: str = "") -> filelock.FileLock:
    """A study that somebody runs as long as the lock is held."""
    with Record.open(root / name / RECORD_FILE) as record:
        record.begin_session(num_trials=4, confirmation=confirmation)
    lock = filelock.FileLock(root / name / LOCK_FILE)
    lock.acquire()
    return lock


def test_it_ends_when_nobody_runs_it_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searching = begun(tmp_path, "small", "small-confirm")
    held = [searching]
    stages: list[str] = []

    def happens(seconds: float) -> None:
        assert seconds == 5
        if len(stages) == 2:  # between the search and its confirmation nobody holds either
            held.pop().release()
        if len(stages) == 3:
            held.append(begun(tmp_path, "small-confirm"))
        if len(stages) == 4:
            held.pop().release()

    monkeypatch.setattr(watching.time, "sleep", happens)
    for status in watch_study(StorePlace.from_address(tmp_path), "small", every_s=5):
        stages.append(status.state if status.confirmation is None else "confirming")
    assert stages == [
        "running",
        "running",
        "interrupted",
        "confirming",
        "confirming",
        "confirming",
    ]


def test_of_a_study_that_nobody_runs_the_status_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(tmp_path, "small").release()
    monkeypatch.setattr(watching.time, "sleep", lambda _: None)
    seen = list(watch_study(StorePlace.from_address(tmp_path), "small", every_s=1))
    assert {status.state for status in seen} == {"interrupted"}
    assert seen[-1].progress("2 failed") == "0 of 4 trials ended (2 failed)"
