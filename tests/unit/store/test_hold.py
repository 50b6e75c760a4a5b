"""A study at a URL that fails for a while, or that somebody else takes."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import OvertakenError, StorageError, StudyError
from study.store.folder import StudyStore
from study.store.remote import hold as module
from study.store.remote.copies import StoreCopy, StudyCopy
from study.store.remote.hold import Hold, held
from study.store.remote.lease import LEASE_FILE, LeaseHolder
from tests.helpers.stores import store_of_kind


class Mirror:
    """Stands for the record and its store."""

    def __init__(self) -> None:
        self.error: StorageError | None = None
        self.num_asked = 0
        self.num_pushed = 0

    def push(self) -> None:
        self.num_asked += 1
        if self.error is not None:
            raise self.error
        self.num_pushed += 1


class NoLease(LeaseHolder):
    def __init__(self) -> None:
        pass

    def renew(self) -> None:
        pass


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 250
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def made(mirror: Mirror, **settings: float) -> tuple[Hold, list[str]]:
    said: list[str] = []
    hold = Hold(mirror, NoLease(), every_s=0.01, **settings)  # type: ignore[arg-type]
    hold.notice = said.append
    return hold, said


def test_a_store_that_fails_is_told_of_once_and_once_when_it_is_back() -> None:
    mirror = Mirror()
    mirror.error = StorageError("it is away")
    hold, said = made(mirror)
    hold.start()
    wait_until(lambda: mirror.num_asked > 5)
    assert len(said) == 1
    assert "training goes on, and the local copy of the record keeps all: it is away" in said[0]
    mirror.error = None
    wait_until(lambda: len(said) == 2)
    assert "answers again" in said[1]
    hold.check()
    assert hold.finish() == ""


def test_what_a_failing_store_has_not_got_is_known_at_the_end() -> None:
    mirror = Mirror()
    hold, _ = made(mirror, patience_s=0.05)
    hold._thread = threading.Thread(target=lambda: None)  # its steps are those of the end
    hold.start()
    hold._thread.join()
    mirror.error = StorageError("it is away")
    assert hold.finish() == "it is away"
    mirror.error = None
    assert hold.finish() == "it is away"  # it was given up


def test_the_rest_is_sent_at_the_end() -> None:
    mirror = Mirror()
    hold, _ = made(mirror)
    assert not hold.is_finished
    hold._thread = threading.Thread(target=lambda: None)  # nothing is sent meanwhile
    hold.start()
    hold._thread.join()
    assert hold.finish() == ""
    assert mirror.num_pushed == 1


def test_a_store_that_does_not_answer_is_not_waited_for_endlessly() -> None:
    mirror, answer = Mirror(), threading.Event()
    mirror.push = lambda: answer.wait(250) and None  # type: ignore[method-assign,assignment]
    hold, _ = made(mirror, patience_s=0.05)
    hold.start()
    assert hold.finish() == "the store does not answer"
    answer.set()
    hold._thread.join()


def test_a_process_whose_study_was_taken_must_add_nothing() -> None:
    mirror = Mirror()
    mirror.error = OvertakenError("other-host has taken it over")
    hold, _ = made(mirror)
    hold.start()
    wait_until(lambda: not hold._thread.is_alive())
    with pytest.raises(OvertakenError, match="no longer: other-host has taken it over"):
        hold.check()
    assert "other-host" in hold.finish()


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyCopy:
    monkeypatch.setenv("APP_STUDY_COPIES", str(tmp_path / "copies"))
    monkeypatch.setattr(LeaseHolder, "SETTLE_S", 0.0)
    return StoreCopy(store_of_kind("file", tmp_path)).study("small")


def begin(copy: StudyCopy) -> None:
    copy.path.mkdir(parents=True, exist_ok=True)
    for name in ("record.jsonl", "study.yaml"):
        (copy.path / name).write_text("1\n", encoding="utf-8")


def test_a_study_is_sent_and_given_back_when_it_is_left(
    copy: StudyCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(copy):
        assert copy.is_held()
        begin(copy)
    assert not copy.is_held()
    assert LEASE_FILE not in copy.remote.names()
    monkeypatch.setenv("APP_STUDY_COPIES", str(tmp_path / "elsewhere"))
    copy.pull(with_data=True)
    assert (copy.path / "record.jsonl").read_text(encoding="utf-8") == "1\n"


def test_who_leaves_without_asking_hears_of_what_could_not_be_sent(
    copy: StudyCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise StorageError("it is full")

    monkeypatch.setattr(module.StudyMirror, "push", refuse)
    monkeypatch.setattr(Hold.__init__, "__kwdefaults__", {"every_s": 1.0, "patience_s": 0.5})
    with pytest.raises(StorageError, match="it is full; what is not sent is in"), held(copy):
        begin(copy)
    with held(copy) as hold:
        assert hold.finish() == "it is full"
    with pytest.raises(ValueError, match="another error"), held(copy):
        raise ValueError("another error")


def test_a_study_that_runs_elsewhere_is_refused_and_said_to_run(
    copy: StudyCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = copy.store.remote.url
    with StudyStore(url).folder("small").lock() as hold:
        assert hold is not None
        begin(copy)
        monkeypatch.setenv("APP_STUDY_COPIES", str(tmp_path / "elsewhere"))
        other = StudyStore(url).folder("small")
        assert other.is_running()
        with pytest.raises(StudyError, match="'small' is running on"), other.lock():
            pass
        monkeypatch.setenv("APP_STUDY_COPIES", str(tmp_path / "copies"))
    with other.lock():
        pass
