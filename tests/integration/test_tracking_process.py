"""A tracker in a process of its own: what is logged there is what is logged here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.results import Outcome
from study.tracking.audit import ExpectedTrial, audit_runs
from study.tracking.background import BackgroundTracker
from study.tracking.mlflow.own_process import in_own_process
from study.tracking.mlflow.runs import MlflowStore
from study.tracking.process import ProcessTracker
from study.tracking.tracker import Tracker, TrackingError
from tests.helpers.trackers import NullTracker
from tests.helpers.tracking_records import history, study_info, trial_info

WHOLE = history(2).recorded(1.5e9)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def tracker(uri: str) -> Iterator[ProcessTracker]:
    with in_own_process(uri, "app-study") as made:
        yield made.open()


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until_dead(pid: int) -> None:
    end = time.monotonic() + 60
    while is_alive(pid):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.timeout(240)
def test_a_process_that_is_killed_loses_nothing_and_doubles_nothing(
    uri: str, tracker: ProcessTracker
) -> None:
    notices: list[str] = []
    background = BackgroundTracker(tracker, notice=notices.append, waits_s=(0.01,))
    background.start_study(study_info())
    for key in "ab":
        background.start_trial(trial_info(key))
        background.log_history(key, history(1).recorded(1.5e9))
        if key == "a":
            assert tracker._process is not None
            tracker._process.send_signal(signal.SIGKILL)
        background.finish_trial(key, WHOLE, Outcome.COMPLETE, "")
    background.finish_study(dict.fromkeys("ab", WHOLE), Outcome.COMPLETE)
    assert background.undelivered is None
    assert any("has died" in text for text in notices)
    store = MlflowStore(uri, "app-study")
    expected = dict.fromkeys("ab", ExpectedTrial(WHOLE, Outcome.COMPLETE))
    found = audit_runs(store, study_info().name, expected, study_id="", outcome=Outcome.COMPLETE)
    assert found.texts == []


@pytest.mark.timeout(240)
def test_it_does_not_get_ctrl_c_and_goes_with_what_started_it(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time\n"
        "from study.tracking.mlflow.own_process import in_own_process\n"
        f"tracker = in_own_process('sqlite:///{tmp_path / 'mlflow.db'}', 'app-study').open()\n"
        "signal.signal(signal.SIGINT, lambda *_: print(tracker.has_study('x'), flush=True))\n"
        "print(tracker._process.pid, flush=True)\n"
        "while True:\n"
        "    time.sleep(1)\n"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with started:
        assert started.stdout is not None
        pid = int(started.stdout.readline())
        os.killpg(started.pid, signal.SIGINT)
        assert started.stdout.readline() == "False\n"
        assert is_alive(pid)
        started.kill()
    wait_until_dead(pid)


@pytest.mark.timeout(240)
def test_the_process_ends_with_the_study(tracker: ProcessTracker) -> None:
    tracker.start_study(study_info())
    assert tracker._process is not None
    pid = tracker._process.pid
    tracker.finish_study({}, Outcome.COMPLETE)
    assert not is_alive(pid)


@pytest.mark.timeout(240)
def test_a_store_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database", encoding="utf-8")
    with (
        in_own_process(f"sqlite:///{tmp_path / 'mlflow.db'}", "app-study") as tracker,
        pytest.raises(TrackingError, match="cannot be used"),
    ):
        tracker.open()


class Failing(NullTracker):
    """Refuses and fails as told."""

    address = "here"

    def __init__(self, is_away: Path) -> None:
        self.is_away = is_away

    def start_study(self, study: object) -> tuple[str, ...]:  # noqa: ARG002  # the protocol's
        if self.is_away.exists():
            raise OSError("away")
        return ()

    def describe_study(self, description: str) -> None:
        raise ValueError(description)

    def start_trial(self, trial: object) -> None:  # noqa: ARG002  # the protocol's
        raise KeyError("gone")


def failing(is_away: Path) -> Tracker:
    return Failing(is_away)


@pytest.fixture
def failing_tracker(tmp_path: Path) -> Iterator[ProcessTracker]:
    with ProcessTracker(failing, tmp_path / "away") as made:
        yield made.open()


@pytest.mark.timeout(240)
def test_errors_are_raised_where_the_call_was_made(failing_tracker: ProcessTracker) -> None:
    assert failing_tracker.address == "here"
    with pytest.raises(ValueError, match="choose another"):
        failing_tracker.describe_study("choose another")
    with pytest.raises(TrackingError, match="gone"):
        failing_tracker.start_trial(trial_info())
    assert not failing_tracker.has_study("x")


@pytest.mark.timeout(240)
def test_a_process_whose_store_is_away_when_it_is_replaced_is_replaced_again(
    tmp_path: Path, failing_tracker: ProcessTracker
) -> None:
    failing_tracker.start_study(study_info())
    assert failing_tracker._process is not None
    failing_tracker._process.kill()
    with pytest.raises(TrackingError, match="has died"):
        failing_tracker.has_study("x")
    (tmp_path / "away").touch()
    with pytest.raises(TrackingError, match="away"):
        failing_tracker.has_study("x")
    (tmp_path / "away").unlink()
    assert not failing_tracker.has_study("x")


@pytest.mark.timeout(240)
def test_no_file_of_the_working_directory_is_run_in_place_of_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("raise RuntimeError('foreign')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with ProcessTracker(failing, tmp_path / "away") as tracker:
        assert tracker.open().address == "here"


@pytest.mark.timeout(240)
def test_once_it_has_ended_it_is_not_started_again(tmp_path: Path) -> None:
    with ProcessTracker(failing, tmp_path / "away") as tracker:
        tracker.open()
        assert tracker._process is not None
        pid = tracker._process.pid
    assert not is_alive(pid)
    with pytest.raises(TrackingError, match="has ended"):
        tracker.has_study("x")
    assert tracker._process.pid == pid
