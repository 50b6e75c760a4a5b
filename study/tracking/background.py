"""A tracker that nobody waits for: a thread of its own logs to the store.

The study's record on disk is the spool. What is pending is a set of trials, each with its newest
history, which the record holds as well: so memory is bounded by the study, and what one process
could not send the next one sends, from the record.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from study.results import Outcome, TrialHistory
from study.text import count
from study.tracking.facts import ModelInfo, StudyInfo, TrackedStudy, TrialInfo
from study.tracking.pending import Delivery, Pending, PendingTrial
from study.tracking.tracker import Tracker

_WAITS_S: Final = (1.0, 2.0, 5.0, 10.0, 20.0)  # after the first failure, the second …, the rest
_ABANDONS_WITHIN_S: Final = 2.0
_NOTICE_AFTER_S: Final = 3.0  # of waiting at the end, before a notice
# Of patience more for each trial: to close a study, its runs are read, at 0.007 s each by HTTP.
_CLOSING_A_TRIAL_S: Final = 0.02


@dataclass(frozen=True)
class Undelivered:
    """What could not be sent to the store.

    Attributes:
        num_trials: Trials with something unsent.
        reason: The store's last error.
    """

    num_trials: int
    reason: str


class BackgroundTracker:
    """Sends what is logged to another tracker, in a thread, again and again until it has arrived.

    As a context manager it ends the thread, whether the study was finished or broke off. Only
    :meth:`has_study`, :meth:`read_study`, :meth:`start_study` and :meth:`finish_study` wait.
    What is logged of one trial arrives in order, the newest for all that came in between; trials
    whose store fails take turns.

    Args:
        tracker: From now on called by nobody else.
        notice: Called in the thread with a notice that the store fails, or answers again.
        patience_s: How long :meth:`finish_study` waits while nothing arrives, and longer for
            studies of thousands of trials, which take long to close.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        notice: Callable[[str], None],
        patience_s: float = 60.0,
        waits_s: tuple[float, ...] = _WAITS_S,
    ) -> None:
        self._tracker = tracker
        self._notice = notice
        self._patience_s = patience_s
        self._waits_s = waits_s
        self._changed = threading.Condition()
        # All below is read and written under the condition.
        self._pending = Pending()
        self._sending = ""  # a trial's key
        self._num_arrived = 0
        self._num_failures = 0  # in a row
        self._failing: set[str] = set()  # trials, and "" for the study
        self._reason = ""
        self._is_over = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._abandon()

    @property
    def address(self) -> str:
        """Where it is, without credentials."""
        return self._tracker.address

    def has_study(self, name: str) -> bool:
        """Whether a study of this name was ever started here."""
        return self._tracker.has_study(name)

    def read_study(self, name: str) -> TrackedStudy | None:
        """The study as it is there; None where it was never started."""
        return self._tracker.read_study(name)

    def start_study(self, study: StudyInfo) -> Collection[str]:
        """Open the study's record; the store's errors are raised here."""
        finished = self._tracker.start_study(study)
        if self._thread is not None:  # of an earlier study, which is over
            self._thread.join()
        self._is_over = False
        self._thread = threading.Thread(target=self._deliver_all, name="tracker", daemon=True)
        self._thread.start()
        return finished

    def start_trial(self, trial: TrialInfo) -> None:
        """Open the trial's record, or continue it, some time soon."""
        self._add(trial.key, PendingTrial(info=trial))

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Bring the trial's record up to ``history`` some time soon."""
        self._add(trial_key, PendingTrial(history=history))

    def log_model(self, trial_key: str, model: ModelInfo) -> None:
        """Log a model of the trial some time soon; its files are read then."""
        self._add(trial_key, PendingTrial(models=(model,)))

    def log_notices(self, trial_key: str, notices: Sequence[str]) -> None:
        """Log the notices of the trial some time soon."""
        self._add(trial_key, PendingTrial(notices=tuple(notices)))

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Close the trial's record some time soon."""
        self._add(trial_key, PendingTrial(history=history, end=(outcome, reason)))

    def describe_study(self, description: str) -> None:
        """Set the study's description some time soon, in place of an earlier one."""
        with self._changed:
            self._pending.description = description
            self._changed.notify_all()

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Wait until all has arrived, or nothing has for a while, or the person interrupts."""
        with self._changed:
            assert self._thread is not None, "start_study comes first"
            self._pending.end = (dict(histories), outcome)
            self._num_failures = 0  # it is tried at once
            self._changed.notify_all()
            try:
                self._wait_for_the_rest()
            except KeyboardInterrupt:
                self._reason = self._reason or "interrupted"
            self._is_over = True
            self._changed.notify_all()

    @property
    def undelivered(self) -> Undelivered | None:
        """What the store is missing when the study is over."""
        with self._changed:
            if self._pending.end is None:
                return None
            return Undelivered(self._num_waiting(), self._reason or "the store does not answer")

    def _abandon(self) -> None:
        """Send nothing more, and have the thread end, once the store answers if that is soon."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_ABANDONS_WITHIN_S)

    def _num_waiting(self) -> int:
        return len(self._pending.trials.keys() | ({self._sending} - {""}))

    def _wait_for_the_rest(self) -> None:
        started = answered_at = time.monotonic()
        num_arrived, is_announced = self._num_arrived, False
        assert self._pending.end is not None, "finish_study was called"
        patience_s = self._patience_s + _CLOSING_A_TRIAL_S * len(self._pending.end[0])
        while self._pending.end is not None:
            now = time.monotonic()
            if self._num_arrived > num_arrived:
                num_arrived, answered_at = self._num_arrived, now
            if now - answered_at >= patience_s:
                return
            if now - started >= _NOTICE_AFTER_S and not is_announced:
                is_announced = True
                self._notice(
                    f"logging to MLflow what it is missing "
                    f"({count(self._num_waiting(), 'trial')}); ends after "
                    f"{patience_s:.0f} s without progress"
                )
            self._changed.wait(timeout=min(1.0, self._patience_s))

    def _add(self, key: str, trial: PendingTrial) -> None:
        with self._changed:
            self._pending.add(key, trial)
            self._changed.notify_all()

    def _deliver_all(self) -> None:
        while True:
            with self._changed:
                if not self._wait_for_work():
                    return
                delivery = self._pending.take()
                self._sending = delivery.trial_key
            try:
                delivery.send(self._tracker)
            except Exception as error:  # of whatever kind the store's libraries raise
                self._failed(delivery, error)
            else:
                self._arrived(delivery)

    def _wait_for_work(self) -> bool:
        """Until there is something to do and, after a failure, some time has passed."""
        if self._num_failures:
            wait_s = self._waits_s[min(self._num_failures, len(self._waits_s)) - 1]
            self._changed.wait_for(lambda: self._is_over or not self._num_failures, timeout=wait_s)
        self._changed.wait_for(lambda: self._is_over or self._pending)
        return not self._is_over

    def _arrived(self, delivery: Delivery) -> None:
        with self._changed:
            self._sending = ""
            self._num_arrived += 1
            self._num_failures = 0
            is_back = self._failing == {delivery.trial_key}
            self._failing.discard(delivery.trial_key)
            if delivery.is_last:
                self._pending.end, self._is_over = None, True
            if is_back:
                self._reason = ""
            self._changed.notify_all()
        if is_back:
            self._notice("MLflow answers again; what it is missing is being logged")

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        with self._changed:
            self._sending = ""
            delivery.put_back()
            is_first = not self._failing and not self._is_over
            self._failing.add(delivery.trial_key)
            self._reason = str(error) or repr(error)
            self._num_failures += 1
            self._changed.notify_all()
        if is_first:
            self._notice(
                f"MLflow fails and is tried again until it answers; training goes on, and the "
                f"study's record keeps all: {self._reason}"
            )


if TYPE_CHECKING:

    def _conforms(tracker: Tracker, notice: Callable[[str], None]) -> Tracker:
        return BackgroundTracker(tracker, notice=notice)
