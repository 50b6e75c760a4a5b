"""What a trial writes on the machine that trains it, and at the study's URL if it has one."""

import contextlib
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from study.config.study_sections import LogModels
from study.errors import StorageError
from study.files import atomic_write
from study.results import EpochRecord, MegabatchRecord
from study.session.service_models import keep_model
from study.store.remote.mirror import MirroredFolder
from study.store.remote.remote import Remote
from study.training.anytime import AnytimeLearner
from study.training.checkpoint import CheckpointFolder

T = TypeVar("T")

_FIRST_WAITS_S = (1.0, 5.0, 15.0, *[30.0] * 20)  # a store that is away fails no trial at once
_LAST_WAITS_S = (1.0, 5.0, 15.0)  # what a trial writes at its end, nobody sends later


class TrialFiles:
    """A trial's folder. What cannot be written costs a notice and not the trial.

    Args:
        folder: On this machine.
        mirror: The same at the study's URL.
        log_models: Which models are kept, to be logged.

    Attributes:
        notices: What could not be written or read.
        is_sent: Whether the URL has all that is here.
    """

    def __init__(self, folder: Path, mirror: MirroredFolder | None, log_models: LogModels) -> None:
        self.notices: list[str] = []
        self.is_sent = False
        self._folder = folder
        self._mirror = mirror
        self._log_models = log_models
        self._checkpoints = CheckpointFolder(folder / "checkpoints")

    def restore(self, learner: AnytimeLearner) -> None:
        """Set a new learner to the newest checkpoint that is whole, if there is one.

        Raises:
            StorageError: The URL does not answer for minutes.
        """
        pulled = _with_retries(self._mirror.pull, _FIRST_WAITS_S) if self._mirror else []
        damaged = [path.name for path in self._checkpoints.torn()] + pulled
        state = self._checkpoints.load_latest()
        if state is not None:
            learner.load_state_dict(state)
        if damaged:
            start = f"record {learner.position}" if state is not None else "its beginning"
            self.notices.append(
                f"damaged checkpoint {', '.join(damaged)} skipped: resumed from {start}"
            )

    def save(self, learner: AnytimeLearner, record: EpochRecord | MegabatchRecord) -> None:
        """Write where the learner is just after ``record``, and its model if that is kept."""
        if isinstance(record, MegabatchRecord):
            with self._tolerated("the model"):
                keep_model(learner, self._folder, self._log_models)
        with self._tolerated("a checkpoint"):
            self._checkpoints.save_learner(learner, record)
        is_last = isinstance(record, MegabatchRecord) and record.is_last
        self._send(_LAST_WAITS_S if is_last else ())

    def save_traceback(self) -> None:
        """Write the traceback of the exception that is handled."""
        with contextlib.suppress(OSError):  # a full disk is no further failure
            self._folder.mkdir(parents=True, exist_ok=True)
            trace = traceback.format_exc().encode()
            atomic_write(self._folder / "error.txt", trace, is_private=True)
        self._send()

    def remove(self) -> None:
        """Remove the folder from this machine."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, waits_s: Sequence[float] = ()) -> None:
        if self._mirror is None:
            return
        self.is_sent = False
        with self._tolerated("the trial's files", self._mirror.remote):
            _with_retries(self._mirror.push, waits_s)
            self.is_sent = True

    @contextlib.contextmanager
    def _tolerated(self, what: str, where: Path | Remote | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place, why = where or self._folder, error.strerror or error
            self.notices.append(
                f"{what} could not be written to {place} ({why}): training continues, and writes "
                f"again at the next boundary"
            )


def _with_retries(ask: Callable[[], T], waits_s: Sequence[float]) -> T:
    """Ask a store, and again after each of these seconds where it fails.

    Raises:
        StorageError: It fails the last time, too.
    """
    for wait_s in waits_s:
        with contextlib.suppress(StorageError):
            return ask()
        time.sleep(wait_s)
    return ask()
