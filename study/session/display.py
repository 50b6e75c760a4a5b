"""What a session shows at a terminal."""

from typing import Protocol

from study.results import TrialHistory
from study.store.record import RecordedTrial
from study.tracking.facts import TrialInfo


class SilentDisplay:
    """No terminal."""

    def started(self, info: TrialInfo) -> None:
        """Show nothing."""

    def progressed(self, info: TrialInfo, history: TrialHistory) -> None:
        """Show nothing."""

    def ended(self, info: TrialInfo, trial: RecordedTrial) -> None:
        """Show nothing."""

    def notice(self, text: str) -> None:
        """Show nothing."""


class Display(Protocol):
    """What the person at the terminal sees."""

    def started(self, info: TrialInfo) -> None:
        """A trial has started or resumed."""

    def progressed(self, info: TrialInfo, history: TrialHistory) -> None:
        """A trial has reported."""

    def ended(self, info: TrialInfo, trial: RecordedTrial) -> None:
        """A trial has an outcome."""

    def notice(self, text: str) -> None:
        """Something the person should know."""
