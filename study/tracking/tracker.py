"""What a study says of itself while it runs, and two trackers that need no server."""

from collections.abc import Mapping
from typing import Protocol

from study.results import Outcome, StudyInfo, TrialHistory, TrialInfo


class Tracker(Protocol):
    """Where results go. Called by the driver alone.

    A trial's history is passed whole each time; a tracker writes what it has not yet written, so
    that a call lost in a crash is made up for by the next one and none is written twice.
    """

    def start_study(self, study: StudyInfo) -> None:
        """Open the study's record, or continue the one of that name."""

    def start_trial(self, trial: TrialInfo) -> None:
        """Open the trial's record, or continue the one with its key."""

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Bring the trial's record up to ``history``."""

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Close the trial's record with its outcome; ``reason`` is empty unless it failed."""

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Close the study's record; ``histories`` holds every trial's by key."""
