"""What a study asks of an experiment tracker."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from study.errors import UserError
from study.results import Outcome, TrialHistory
from study.tracking.facts import ModelInfo, StudyInfo, TrackedStudy, TrialInfo


class TrackingError(UserError, RuntimeError):
    """A store that cannot be opened or lacks what is asked for; the message has the remedy."""


class Tracker(Protocol):
    """Where results are logged. Called by the driver alone.

    A trial's history is passed whole each time; a tracker logs what it has not yet logged, so
    that the next call makes up for one that a crash prevented, and nothing is logged twice.
    """

    @property
    def address(self) -> str:
        """Where it is, without credentials."""

    def has_study(self, name: str) -> bool:
        """Whether a study of this name was ever started here."""

    def read_study(self, name: str) -> TrackedStudy | None:
        """What is known here of a study; None where it was never started."""

    def start_study(self, study: StudyInfo) -> Collection[str]:
        """Open the study's record, or continue the one of that name.

        Returns:
            The keys of its trials whose record is finished: nothing more of them is logged.

        Raises:
            TrackingError: There is another study of that name.
        """

    def start_trial(self, trial: TrialInfo) -> None:
        """Open the trial's record, or continue the one with its key."""

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Bring the trial's record up to ``history``."""

    def log_model(self, trial_key: str, model: ModelInfo) -> None:
        """Log a model of the trial, whose metrics were logged before; and once only."""

    def log_notices(self, trial_key: str, notices: Sequence[str]) -> None:
        """Log the notices of the trial so far, over earlier ones."""

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Close the trial's record with its outcome; ``reason`` is empty unless it failed."""

    def describe_study(self, description: str) -> None:
        """Set the study's description, in Markdown, over an earlier one."""

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Close the study's record; ``histories`` holds every trial's by key."""
