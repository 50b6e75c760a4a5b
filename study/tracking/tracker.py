"""What a study says of itself while it runs, and two trackers that need no server."""

from collections.abc import Mapping, Sequence
from typing import Protocol

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
