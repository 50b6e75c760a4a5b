"""What the person at the terminal sees of a session."""

from typing import Protocol

from study.results import TrialHistory
from study.store.record import RecordedTrial
from study.tracking.facts import TrialInfo


class SilentDisplay:
    """No terminal."""

    def started(self, *_: object) -> None:
        """Say nothing."""

    def progressed(self, *_: object) -> None:
        """Say nothing."""

    def ended(self, *_: object) -> None:
        """Say nothing."""

    def notice(self, *_: object) -> None:
        """Say nothing."""


class Display(Protocol):
    """What the person at the terminal sees."""

    def started(self, info: TrialInfo) -> None:
        """A trial has started, or goes on."""

    def progressed(self, info: TrialInfo, history: TrialHistory) -> None:
        """A trial has reported."""

    def ended(self, info: TrialInfo, trial: RecordedTrial) -> None:
        """A trial has an outcome."""

    def notice(self, text: str) -> None:
        """Something the person should know."""
