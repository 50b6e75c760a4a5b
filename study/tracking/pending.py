"""What is to be logged of a study and is not yet: of each trial the newest, for all before it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from study.results import Outcome, TrialHistory
from study.tracking.facts import ModelInfo, TrialInfo
from study.tracking.tracker import Tracker

_DESCRIBED_EVERY_S: Final = 15.0
_NOTHING: Final = TrialHistory()


@dataclass(frozen=True)
class PendingTrial:
    """What is to be logged of one trial; ``info`` where its run has to be opened."""

    info: TrialInfo | None = None
    history: TrialHistory = _NOTHING
    models: tuple[ModelInfo, ...] = ()
    notices: tuple[str, ...] = ()
    end: tuple[Outcome, str] | None = None

    def followed_by(self, later: "PendingTrial") -> "PendingTrial":
        """Both at once: histories are whole, so the later holds the earlier."""
        is_reopened = later.info is not None
        return PendingTrial(
            info=later.info or self.info,
            history=later.history if later.history != _NOTHING else self.history,
            models=(*self.models, *later.models),
            notices=later.notices or self.notices,
            end=later.end or (None if is_reopened else self.end),
        )

    def send(self, tracker: Tracker, key: str) -> None:
        """Log all of it."""
        if self.info is not None:
            tracker.start_trial(self.info)
        if self.history != _NOTHING and (self.models or self.end is None):
            tracker.log_history(key, self.history)
        for model in self.models:
            tracker.log_model(key, model)
        if self.notices:
            tracker.log_notices(key, self.notices)
        if self.end is not None:
            tracker.finish_trial(key, self.history, *self.end)


@dataclass(frozen=True)
class Delivery:
    """One thing to be logged: of a trial, or of the study, whose key is empty.

    Attributes:
        put_back: To be called if it could not be sent.
        is_last: Whether it ends the study.
    """

    trial_key: str
    send: Callable[[Tracker], None]
    put_back: Callable[[], None]
    is_last: bool = False


class Pending:
    """Holds it, in the order in which it is to be sent; for one thread at a time.

    Attributes:
        description: Of the study, if that is to be set.
        end: With which the study is to be finished, once all else is sent.
    """

    def __init__(self) -> None:
        self.trials: dict[str, PendingTrial] = {}
        self.description: str | None = None
        self.end: tuple[Mapping[str, TrialHistory], Outcome] | None = None
        self._described_at = -_DESCRIBED_EVERY_S

    def __bool__(self) -> bool:
        return bool(self.trials or self.end) or self.description is not None

    def add(self, key: str, trial: PendingTrial) -> None:
        """More of a trial, to be sent with what is pending of it."""
        before = self.trials.get(key)
        self.trials[key] = before.followed_by(trial) if before else trial

    def take(self) -> Delivery:
        """The next thing to send, of which there must be one."""
        if self.description is not None and (not self.trials or self._is_description_due()):
            return self._take_description(self.description)
        if self.trials:
            key = next(iter(self.trials))
            return self._take_trial(key, self.trials.pop(key))
        assert self.end is not None, "something is pending"
        histories, outcome = self.end
        return Delivery(
            "",
            lambda tracker: tracker.finish_study(histories, outcome),
            lambda: None,
            is_last=True,
        )

    def _is_description_due(self) -> bool:
        return time.monotonic() - self._described_at >= _DESCRIBED_EVERY_S

    def _take_description(self, text: str) -> Delivery:
        self.description, self._described_at = None, time.monotonic()

        def put_back() -> None:
            if self.description is None:
                self.description = text

        return Delivery("", lambda tracker: tracker.describe_study(text), put_back)

    def _take_trial(self, key: str, trial: PendingTrial) -> Delivery:
        def put_back() -> None:
            # Last, so that trials whose store fails take turns.
            later = self.trials.pop(key, None)
            self.trials[key] = trial.followed_by(later) if later else trial

        return Delivery(key, lambda tracker: trial.send(tracker, key), put_back)
