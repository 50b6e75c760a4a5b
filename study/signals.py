"""Signals that end a process, taken alike."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, with which batch systems announce the end, does what Ctrl-C does.

    Afterwards both are handled as before, whatever was made of Ctrl-C meanwhile: Tune leaves a
    handler of its own behind. A thread beside the main one gets no signals, and leaves them alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  # signal's
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            raise KeyboardInterrupt  # so shells start what runs in the background
        signal.raise_signal(signal.SIGINT)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that Python did not set, which it cannot set again
                signal.signal(number, handler)
