"""One process has a study's folder; who looks whether it has takes nothing from anybody."""

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest

from study.store import lock
from study.store.lock import LOCK_FILE, is_locked, locked


@contextmanager
def looking(folder: Path) -> Iterator[None]:
    """Somebody is in the middle of a look."""
    descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def test_a_folder_is_one_process_alone_and_is_seen_to_be(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(filelock.Timeout), locked(tmp_path):
            pass
    assert not is_locked(tmp_path)


def test_two_who_look_do_not_see_each_other(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).touch()
    with looking(tmp_path):
        assert not is_locked(tmp_path)


def test_a_look_refuses_nobody_the_folder(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).touch()
    is_looking = threading.Event()

    def look() -> None:
        with looking(tmp_path):
            is_looking.set()
            threading.Event().wait(0.2)

    thread = threading.Thread(target=look)
    thread.start()
    assert is_looking.wait(5)
    with locked(tmp_path):
        assert is_locked(tmp_path)
    thread.join()


def test_a_look_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []

    def open_on_a_read_only_disk(path: Path, flags: int) -> int:
        if flags != os.O_RDONLY:
            raise OSError(errno.EROFS, "Read-only file system")
        return opens(path, flags)

    opens = os.open
    with locked(tmp_path):
        monkeypatch.setattr(lock.os, "open", open_on_a_read_only_disk)
        assert is_locked(tmp_path)
        monkeypatch.undo()


@pytest.mark.filterwarnings("ignore:flock not supported")
def test_where_the_disk_knows_no_flock_a_folder_is_seen_to_be_taken_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
