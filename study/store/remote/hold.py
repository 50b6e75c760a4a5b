"""This process has a study at a URL: a thread renews its lease and sends what the record gains."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from study.errors import OvertakenError, StorageError
from study.store.remote.copies import StudyCopy, StudyMirror
from study.store.remote.lease import RENEWED_EVERY_S, LeaseHolder

_SOON_S = 5.0  # after a failure
_NOTICE_AFTER_S = 3.0  # of waiting at the end, before there is a notice


class Hold:
    """A study that is this process's, from :meth:`start` to :meth:`finish`.

    Failing stores hold nothing up: there is one notice, and it is tried again every few seconds.

    Args:
        mirror: Pulled already.
        lease: Taken already.
        every_s: At most so often is anything sent.
        patience_s: How long :meth:`finish` goes on while the store fails.
    """

    def __init__(
        self,
        mirror: StudyMirror,
        lease: LeaseHolder,
        *,
        every_s: float = RENEWED_EVERY_S,
        patience_s: float = 60.0,
    ) -> None:
        self.notice: Callable[[str], None] = _ignore_notice
        self._mirror = mirror
        self._lease = lease
        self._every_s = every_s
        self._patience_s = patience_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="storage", daemon=True)
        self._overtaken: OvertakenError | None = None
        self._is_failing = False
        self._unsent: str | None = None  # why; None before finish

    def start(self) -> None:
        """Renew and send from now on."""
        self._thread.start()

    def check(self) -> None:
        """Whether the study is still this process's.

        Raises:
            OvertakenError: It is another's, to whom this one must not add anything.
        """
        if self._overtaken is not None:
            raise OvertakenError(
                f"the study is this process's no longer: {self._overtaken}; what it did since is "
                f"in its local copy alone"
            )

    def finish(self) -> str:
        """Send what is left; from now on nothing is sent.

        Returns:
            Why not all could be sent; empty if it was.
        """
        if self._unsent is None:
            try:
                self._unsent = self._finish()
            except KeyboardInterrupt:
                self._unsent = "interrupted"
        return self._unsent

    @property
    def is_finished(self) -> bool:
        """Whether :meth:`finish` was called."""
        return self._unsent is not None

    def _finish(self) -> str:
        self._stopping.set()
        started, has_noticed = time.monotonic(), False
        self._thread.join(timeout=self._patience_s)
        if self._thread.is_alive():
            return "the store does not answer"
        while True:
            try:
                self._step()
            except OvertakenError as error:
                return str(error)
            except OSError as error:
                waited_s = time.monotonic() - started
                if waited_s >= self._patience_s:
                    return str(error)
                if waited_s >= _NOTICE_AFTER_S and not has_noticed:
                    has_noticed = True
                    self.notice(
                        f"sending the study's record to its store; given up after "
                        f"{self._patience_s:.0f} s"
                    )
                time.sleep(min(1.0, self._patience_s / 10))
            else:
                return ""

    def _step(self) -> None:
        self._lease.renew()  # first: what is another's must not be written
        self._mirror.push()

    def _go_on(self) -> None:
        wait_s = 0.0
        while not self._stopping.wait(wait_s):
            try:
                self._step()
            except OvertakenError as error:
                self._overtaken = error
                return
            except OSError as error:
                wait_s = min(_SOON_S, self._every_s)
                self._notice_failure(error)
            else:
                wait_s = self._every_s
                self._notice_recovery()

    def _notice_failure(self, error: OSError) -> None:
        if not self._is_failing:
            self._is_failing = True
            self.notice(
                f"the study's store fails, and is tried again and again; training goes on, and "
                f"the local copy of the record keeps all: {error}"
            )

    def _notice_recovery(self) -> None:
        if self._is_failing:
            self._is_failing = False
            self.notice("the study's store answers again, and has the record so far")


def _ignore_notice(text: str) -> None:
    """Until there is a terminal."""


@contextlib.contextmanager
def held(copy: StudyCopy) -> Iterator[Hold]:
    """Have a study at a URL, its local copy being up to date, until all is sent.

    Raises:
        LeaseHeldError: Another process has it.
        StorageError: The store refuses, or what is left of the study cannot be sent and nobody
            has called :meth:`Hold.finish`, and so knows.
    """
    lease, mirror = LeaseHolder(copy.remote), StudyMirror(copy)
    lease.take()
    try:
        mirror.pull()
        hold = Hold(mirror, lease)
        hold.start()
        is_known = False
        try:
            yield hold
            is_known = hold.is_finished
        finally:
            unsent = hold.finish()
        if unsent and not is_known:
            raise StorageError(
                f"{unsent}; what is not sent is in {copy.path}: try again once the store answers"
            )
    finally:
        lease.give_back()
