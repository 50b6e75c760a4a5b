"""What a study says of itself while it runs, and two trackers that need no server."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from study.errors import UserError
from study.results import Outcome, TrialHistory
from study.tracking.facts import ModelInfo, StudyInfo, TrackedStudy, TrialInfo


class TrackingError(UserError, RuntimeError):
    """A store that cannot be opened or does not know what it is asked for; says the remedy."""


class Tracker(Protocol):
    """Where results go. Called by the driver alone.

    A trial's history is passed whole each time; a tracker writes what it has not yet written, so
    that a call lost in a crash is made up for by the next one and none is written twice.
    """

    @property
    def address(self) -> str:
        """Where it is, without credentials."""

    def has_study(self, name: str) -> bool:
        """Whether a study of this name was ever started here."""

    def read_study(self, name: str) -> TrackedStudy | None:
        """What is known here of a study; None where it was never started."""

    def start_study(self, study: StudyInfo) -> None:
        """Open the study's record, or continue the one of that name."""

    def start_trial(self, trial: TrialInfo) -> None:
        """Open the trial's record, or continue the one with its key."""

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Bring the trial's record up to ``history``."""

    def log_model(self, trial_key: str, model: ModelInfo) -> None:
        """Leave a model of the trial, whose metrics were logged before; once, however often."""

    def log_notices(self, trial_key: str, notices: Sequence[str]) -> None:
        """Keep with the trial's record all that its user should know of how it went."""

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Close the trial's record with its outcome; ``reason`` is empty unless it failed."""

    def describe_study(self, description: str) -> None:
        """How the study stands, in Markdown, over what was said before."""

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Close the study's record; ``histories`` holds every trial's by key."""


class NullTracker:
    """Records nothing, for studies that are not tracked."""

    address = "nowhere"

    def has_study(self, name: str) -> bool:  # noqa: ARG002  # the protocol's
        """Never."""
        return False

    def read_study(self, name: str) -> TrackedStudy | None:
        """Nothing."""

    def start_study(self, study: StudyInfo) -> None:
        """Do nothing."""

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

    def start_study(self, study: StudyInfo) -> None:
        """Keep the call."""
        self.calls.append(("start_study", (study,)))

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
