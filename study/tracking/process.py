"""A tracker in a process of its own, so that what it computes takes nothing from who calls it.

The process starts, and imports what it needs, while its caller does other things; then each call
is sent there, and its answer awaited. A process that has died is replaced at the next
call; that tracker finds in its store what the one before it has logged, as after a driver's death.
"""

import contextlib
import gc
import importlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final, Self

from study.results import Outcome, TrialHistory
from study.tracking.facts import ModelInfo, StudyInfo, TrackedStudy, TrialInfo
from study.tracking.tracker import Tracker, TrackingError

_MAKE: Final = "make"
_ENDS_WITHIN_S: Final = 10.0
_LOOKS_EVERY_S: Final = 1.0
# MLflow makes hundreds of objects of each run: to look through all of them for circles after
# every 700, as Python does, takes longer than to read a study's runs.
_OBJECTS_A_COLLECTION: Final = 300_000


class ProcessTracker:
    """Passes each call on to a tracker that is made, and lives, in another process.

    That process does not get this one's Ctrl-C, and ends with it, however it ends. For one thread
    at a time. As a context manager it ends the process, and takes no call after that.

    Args:
        make: Makes the tracker there, from ``given``, at :meth:`open`: a function of a module.
        given: Arguments of it.
        ahead: Module that ``make`` will need, imported there at once.

    Raises:
        TrackingError: By :meth:`open`, the tracker cannot be made; by any method, it fails, or its
            process dies.
    """

    def __init__(self, make: Callable[..., Tracker], *given: Any, ahead: str = __name__) -> None:
        self._make, self._given, self._ahead = make, given, ahead
        self._study: StudyInfo | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._is_over = False
        self.address = ""
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._end(within_s=_ENDS_WITHIN_S if self.address else 0.0)  # else it has logged nothing

    def open(self) -> Self:
        """Make the tracker there, once."""
        self.address = self._opened()
        return self

    def has_study(self, name: str) -> bool:
        """Whether a study of this name was ever started here."""
        return bool(self._call("has_study", name))

    def read_study(self, name: str) -> TrackedStudy | None:
        """The study as it is there; None where it was never started."""
        found: TrackedStudy | None = self._call("read_study", name)
        return found

    def start_study(self, study: StudyInfo) -> Collection[str]:
        """Open the study's record, or continue the one of that name."""
        finished: Collection[str] = self._call("start_study", study)
        self._study = study
        return finished

    def start_trial(self, trial: TrialInfo) -> None:
        """Open the trial's record, or continue the one with its key."""
        self._call("start_trial", trial)

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Bring the trial's record up to ``history``."""
        self._call("log_history", trial_key, history)

    def log_model(self, trial_key: str, model: ModelInfo) -> None:
        """Log a model of the trial, whose files are read there."""
        self._call("log_model", trial_key, model)

    def log_notices(self, trial_key: str, notices: Sequence[str]) -> None:
        """Log the notices of the trial so far, over earlier ones."""
        self._call("log_notices", trial_key, tuple(notices))

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Close the trial's record with its outcome."""
        self._call("finish_trial", trial_key, history, outcome, reason)

    def describe_study(self, description: str) -> None:
        """Set the study's description, over an earlier one."""
        self._call("describe_study", description)

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Close the study's record, and end the process."""
        self._call("finish_study", dict(histories), outcome)
        self._end()

    def _call(self, method: str, *given: Any) -> Any:
        if self._is_over:
            raise TrackingError("the process that logs to MLflow has ended; open another")
        if self._connection is None:
            self._start()
            self._opened()
        return self._answer(method, *given)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                # -P: no file of the working directory stands in for a module.
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                # A copy: another thread, as one that starts Ray, may be changing the original.
                env=dict(os.environ),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is ours
            )
        self._connection = Connection(ours.detach())
        self._connection.send((sys.path, self._ahead))

    def _opened(self) -> str:
        """Make the tracker in the new process, and continue its study; the tracker's address."""
        try:
            address = self._answer(_MAKE, self._make, self._given)
            if self._study is not None:
                self._answer("start_study", self._study)
        except BaseException:
            self._end()
            raise
        return str(address)

    def _answer(self, method: str, *given: Any) -> Any:
        assert self._connection is not None, "it was started"
        try:
            self._connection.send((method, given))
            error, answer = self._connection.recv()
        except (OSError, EOFError) as lost:
            self._end()
            raise TrackingError(
                "the process that logs to MLflow has died; it is started again"
            ) from lost
        except BaseException:  # interrupted: the answer must not be taken for the next call's
            self._end(within_s=0.0)
            raise
        if error is not None:
            raise error(answer)
        return answer

    def _end(self, *, within_s: float = _ENDS_WITHIN_S) -> None:
        """Have the process end, once it has answered if that is soon."""
        if self._connection is None or self._process is None:
            return
        self._connection.close()
        self._connection = None
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _serve(connection: Connection) -> None:
    """Answer calls until the other end is closed."""
    tracker: Tracker | None = None
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        sys.path[:], ahead = connection.recv()
        importlib.import_module(ahead)
        while True:
            method, given = connection.recv()
            try:
                if method == _MAKE:
                    make, arguments = given
                    tracker = make(*arguments)
                    answer = tracker.address
                else:
                    answer = getattr(tracker, method)(*given)
            except ValueError as error:
                connection.send((ValueError, str(error)))
            except Exception as error:
                connection.send((TrackingError, str(error) or repr(error)))
            else:
                connection.send((None, answer))


def _end_with(parent: int) -> None:
    """End this process as soon as its parent has ended, whatever it waits for."""
    while os.getppid() == parent:
        time.sleep(_LOOKS_EVERY_S)
    os._exit(1)


def main() -> None:
    """What runs in the process; its one argument is the socket to the other."""
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    gc.set_threshold(_OBJECTS_A_COLLECTION)
    _serve(Connection(int(sys.argv[1])))
    os._exit(0)  # all is written


if TYPE_CHECKING:

    def _conforms(make: Callable[[], Tracker]) -> Tracker:
        return ProcessTracker(make)


if __name__ == "__main__":
    main()
