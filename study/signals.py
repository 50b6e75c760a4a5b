"""Signals that end a process, taken alike."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, with which batch systems announce the end, does what Ctrl-C does."""

    def interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  # signal's
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            raise KeyboardInterrupt  # so shells start what runs in the background
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
