"""A tracker that nobody waits for: a thread of its own sends what is logged to the store.

The study's record on disk is the spool. What the thread has not sent yet is a set of trials, each
with its newest history, which the record holds as well: so memory is bounded by the study, and
what one process could not send the next one sends, from the record.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from study.results import Outcome, TrialHistory
from study.text import count
from study.tracking.facts import ModelInfo, StudyInfo, TrackedStudy, TrialInfo
from study.tracking.tracker import Tracker

_WAITS_S: Final = (1.0, 2.0, 5.0, 10.0, 20.0)  # after the first failure, the second …, the rest
_DESCRIBED_EVERY_S: Final = 15.0
_NOTHING: Final = TrialHistory()
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


@dataclass(frozen=True)
class _Due:
    """What is to be sent of one trial; ``info`` where its run has to be opened."""

    info: TrialInfo | None = None
    history: TrialHistory = _NOTHING
    models: tuple[ModelInfo, ...] = ()
    notices: tuple[str, ...] = ()
    ending: tuple[Outcome, str] | None = None

    def followed_by(self, later: "_Due") -> "_Due":
        """Both at once: histories are whole, so the later holds the earlier."""
        reopened = later.info is not None
        return _Due(
            info=later.info or self.info,
            history=later.history if later.history != _NOTHING else self.history,
            models=(*self.models, *later.models),
            notices=later.notices or self.notices,
            ending=later.ending or (None if reopened else self.ending),
        )

    def send(self, tracker: Tracker, key: str) -> None:
        if self.info is not None:
            tracker.start_trial(self.info)
        if self.history != _NOTHING and (self.models or self.ending is None):
            tracker.log_history(key, self.history)
        for model in self.models:
            tracker.log_model(key, model)
        if self.notices:
            tracker.log_notices(key, self.notices)
        if self.ending is not None:
            tracker.finish_trial(key, self.history, *self.ending)


class BackgroundTracker:
    """Sends what is logged to another tracker, in a thread, again and again until it has arrived.

    Only :meth:`has_study`, :meth:`read_study`, :meth:`start_study` and :meth:`finish_study` wait.
    What is logged of one trial arrives in order, the newest for all that came in between; trials
    whose store fails take turns.

    Args:
        tracker: From now on called by nobody else.
        notice: Told, in the thread, that the store fails, and that it is back.
        patience_s: How long :meth:`finish_study` goes on while nothing arrives, and longer for
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
        self._due: dict[str, _Due] = {}
        self._in_hand = ""
        self._description: str | None = None
        self._described_at = -_DESCRIBED_EVERY_S
        self._last: tuple[Mapping[str, TrialHistory], Outcome] | None = None
        self._num_arrived = 0
        self._num_failures = 0  # in a row
        self._failing: set[str] = set()  # trials, and "" for the study
        self._reason = ""
        self._is_over = False
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where it is, without credentials."""
        return self._tracker.address

    def has_study(self, name: str) -> bool:
        """Whether a study of this name was ever started here."""
        return self._tracker.has_study(name)

    def read_study(self, name: str) -> TrackedStudy | None:
        """What is known here of a study; None where it was never started."""
        return self._tracker.read_study(name)

    def start_study(self, study: StudyInfo) -> None:
        """Open the study's record; the store's errors are raised here."""
        self._tracker.start_study(study)
        if self._thread is not None:  # of an earlier study, which is over
            self._thread.join()
        self._is_over = False
        self._thread = threading.Thread(target=self._deliver_all, name="tracker", daemon=True)
        self._thread.start()

    def start_trial(self, trial: TrialInfo) -> None:
        """Open the trial's record, or continue it, some time soon."""
        self._put(trial.key, _Due(info=trial))

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Bring the trial's record up to ``history`` some time soon."""
        self._put(trial_key, _Due(history=history))

    def log_model(self, trial_key: str, model: ModelInfo) -> None:
        """Leave a model of the trial some time soon; its files are read then."""
        self._put(trial_key, _Due(models=(model,)))

    def log_notices(self, trial_key: str, notices: Sequence[str]) -> None:
        """Keep with the trial's record how it went, some time soon."""
        self._put(trial_key, _Due(notices=tuple(notices)))

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Close the trial's record some time soon."""
        self._put(trial_key, _Due(history=history, ending=(outcome, reason)))

    def describe_study(self, description: str) -> None:
        """Set the study's description some time soon, an earlier one being forgotten."""
        with self._changed:
            self._description = description
            self._changed.notify_all()

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Wait until all has arrived, or nothing has for a while, or the person interrupts."""
        with self._changed:
            assert self._thread is not None, "start_study comes first"
            self._last = (dict(histories), outcome)
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
            if self._last is None:
                return None
            return Undelivered(self._num_waiting(), self._reason or "the store does not answer")

    def _num_waiting(self) -> int:
        return len(self._due.keys() | ({self._in_hand} - {""}))

    def _wait_for_the_rest(self) -> None:
        started = answered_at = time.monotonic()
        num_arrived, is_told = self._num_arrived, False
        assert self._last is not None, "finish_study was called"
        patience_s = self._patience_s + _CLOSING_A_TRIAL_S * len(self._last[0])
        while self._last is not None:
            now = time.monotonic()
            if self._num_arrived > num_arrived:
                num_arrived, answered_at = self._num_arrived, now
            if now - answered_at >= patience_s:
                return
            if now - started >= _NOTICE_AFTER_S and not is_told:
                is_told = True
                self._notice(
                    f"sending what the tracking store is missing "
                    f"({count(self._num_waiting(), 'trial')}); given up after "
                    f"{patience_s:.0f} s in which nothing arrives"
                )
            self._changed.wait(timeout=min(1.0, self._patience_s))

    def _put(self, key: str, due: _Due) -> None:
        with self._changed:
            before = self._due.get(key)
            self._due[key] = before.followed_by(due) if before else due
            self._changed.notify_all()

    def _deliver_all(self) -> None:
        while True:
            with self._changed:
                if not self._wait_for_work():
                    return
                key, deliver, put_back = self._take()
                self._in_hand = key
            try:
                deliver()
            except (
                Exception
            ) as error:  # the store's libraries raise what they like; it is reported
                self._failed(key, error, put_back)
            else:
                self._arrived(key)

    def _wait_for_work(self) -> bool:
        """Until there is something to do and, after a failure, some time has passed."""
        if self._num_failures:
            wait_s = self._waits_s[min(self._num_failures, len(self._waits_s)) - 1]
            self._changed.wait_for(lambda: self._is_over or not self._num_failures, timeout=wait_s)
        self._changed.wait_for(
            lambda: self._is_over or self._due or self._last or self._description is not None
        )
        return not self._is_over

    def _take(self) -> tuple[str, Callable[[], None], Callable[[], None]]:
        """Of which trial the next thing is, how to send it, and what to do if that fails."""
        text = self._description
        waited_s = time.monotonic() - self._described_at
        if text is not None and (not self._due or waited_s >= _DESCRIBED_EVERY_S):
            self._description, self._described_at = None, time.monotonic()
            describe = self._tracker.describe_study
            return "", lambda: describe(text), lambda: self._describe_again(text)
        if self._due:
            key = next(iter(self._due))
            due = self._due.pop(key)
            return key, lambda: due.send(self._tracker, key), lambda: self._put_back(key, due)
        assert self._last is not None
        histories, outcome = self._last
        return "", lambda: self._finish(histories, outcome), lambda: None

    def _finish(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        self._tracker.finish_study(histories, outcome)
        with self._changed:
            self._last, self._is_over = None, True

    def _describe_again(self, text: str) -> None:
        if self._description is None:
            self._description = text

    def _put_back(self, key: str, due: _Due) -> None:
        later = self._due.pop(key, None)
        self._due[key] = due.followed_by(later) if later else due

    def _arrived(self, key: str) -> None:
        with self._changed:
            self._in_hand = ""
            self._num_arrived += 1
            self._num_failures = 0
            is_back = self._failing == {key}
            self._failing.discard(key)
            if is_back:
                self._reason = ""
            self._changed.notify_all()
        if is_back:
            self._notice("the tracking store answers again; what it missed is being sent")

    def _failed(self, key: str, error: Exception, put_back: Callable[[], None]) -> None:
        with self._changed:
            self._in_hand = ""
            put_back()
            is_first = not self._failing
            self._failing.add(key)
            self._reason = str(error) or repr(error)
            self._num_failures += 1
            self._changed.notify_all()
        if is_first:
            self._notice(
                f"the tracking store fails, and is tried again and again; training goes on, and "
                f"the study's record keeps all: {self._reason}"
            )


if TYPE_CHECKING:

    def _conforms(tracker: Tracker, notice: Callable[[str], None]) -> Tracker:
        return BackgroundTracker(tracker, notice=notice)
