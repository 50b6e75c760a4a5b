"""The lock of a study's folder: one process has it, and whoever looks does not take it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

LOCK_FILE = ".lock"
_PATIENCE_S = 1.0  # a look, which is over in a moment, must refuse nobody


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a folder, made if need be, alone; a dead process does not.

    Raises:
        filelock.Timeout: Another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / LOCK_FILE, timeout=_PATIENCE_S):
        yield


def is_locked(folder: Path) -> bool:
    """Whether a process has a folder, which need not be there, nor be ours to write."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY)
    except OSError:  # nobody had it ever, or it is another user's: not to be known
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without flock, where filelock has a way of its own
        return _is_refused(folder)
    finally:
        os.close(descriptor)
    return False


def _is_refused(folder: Path) -> bool:
    try:
        with filelock.FileLock(folder / LOCK_FILE, timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False
