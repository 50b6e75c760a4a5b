"""Trackers for tests: one that records nothing, one that keeps its calls."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from study.results import Outcome, TrialHistory
from study.tracking.facts import ModelInfo, StudyInfo, TrackedStudy, TrialInfo
from study.tracking.tracker import Tracker


class NullTracker:
    """Records nothing."""

    address = "nowhere"

    def has_study(self, name: str) -> bool:  # noqa: ARG002  # the protocol's
        """Never."""
        return False

    def read_study(self, name: str) -> TrackedStudy | None:
        """Nothing."""

    def start_study(self, study: StudyInfo) -> Collection[str]:  # noqa: ARG002  # the protocol's
        """Do nothing."""
        return ()

    def start_trial(self, trial: TrialInfo) -> None:
        """Do nothing."""

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Do nothing."""

    def log_model(self, trial_key: str, model: ModelInfo) -> None:
        """Do nothing."""

    def log_notices(self, trial_key: str, notices: Sequence[str]) -> None:
        """Do nothing."""

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Do nothing."""

    def describe_study(self, description: str) -> None:
        """Do nothing."""

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Do nothing."""


class RecordingTracker:
    """Keeps its calls in memory, for tests.

    Attributes:
        calls: Method name and arguments of every call, in order.
    """

    address = "memory"

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[object, ...]]] = []

    def has_study(self, name: str) -> bool:
        """Whether one of the calls started it."""
        started = [args[0] for method, args in self.calls if method == "start_study"]
        return any(isinstance(info, StudyInfo) and info.name == name for info in started)

    def read_study(self, name: str) -> TrackedStudy | None:
        """Nothing: what was said is in ``calls``."""

    def start_study(self, study: StudyInfo) -> Collection[str]:
        """Keep the call."""
        self.calls.append(("start_study", (study,)))
        return ()

    def start_trial(self, trial: TrialInfo) -> None:
        """Keep the call."""
        self.calls.append(("start_trial", (trial,)))

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Keep the call."""
        self.calls.append(("log_history", (trial_key, history)))

    def log_model(self, trial_key: str, model: ModelInfo) -> None:
        """Keep the call."""
        self.calls.append(("log_model", (trial_key, model)))

    def log_notices(self, trial_key: str, notices: Sequence[str]) -> None:
        """Keep the call."""
        self.calls.append(("log_notices", (trial_key, tuple(notices))))

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Keep the call."""
        self.calls.append(("finish_trial", (trial_key, history, outcome, reason)))

    def describe_study(self, description: str) -> None:
        """Keep the call."""
        self.calls.append(("describe_study", (description,)))

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Keep the call, with ``histories`` as they are now."""
        self.calls.append(("finish_study", (dict(histories), outcome)))


if TYPE_CHECKING:
    _null: Tracker = NullTracker()
    _recording: Tracker = RecordingTracker()
