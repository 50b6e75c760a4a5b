"""What a study's record knows of one trial, and how it is read from its lines."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from study.results import Outcome, TrialHistory

Source = Literal["point", "search", "prior", "update"]


@dataclass
class RecordedTrial:
    """What is known of one trial.

    Attributes:
        chosen: Dotted path → value, for what the study varies.
        config: The resolved configuration, nested.
        outcome: None while it is running or was interrupted.
        proposed_by: ``point``, ``random``, or the sampler that chose it by what it had learned;
            empty where the record does not say.
        proposed_at, ended_at: In seconds since 1970; 0 where it has not ended.
        notices: What its user should know of how it went.
        updated_from: Key of the trial that an update goes on from; empty for all others.
    """

    key: str
    number: int
    source: Source
    chosen: Mapping[str, Any]
    config: Mapping[str, Any]
    history: TrialHistory = field(default_factory=TrialHistory)
    outcome: Outcome | None = None
    reason: str = ""
    proposed_at: float = 0.0
    ended_at: float = 0.0
    notices: tuple[str, ...] = ()
    updated_from: str = ""
    proposed_by: str = ""

    def values(self, metrics: tuple[str, ...]) -> tuple[float, ...] | None:
        """Final values of ``metrics``; None unless the trial is complete."""
        if self.outcome is not Outcome.COMPLETE:
            return None
        return tuple(self.final_values.get(name, float("nan")) for name in metrics)

    @property
    def final_values(self) -> Mapping[str, float]:
        """Every metric at the end of a complete trial."""
        last = self.history.megabatches[-1]
        return {**last.metrics, **last.summary}

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in a line about the trial after it was proposed."""
        if event["event"] == "history":
            self.history += TrialHistory.from_dict(event["history"]).recorded(event["time"])
        elif event["event"] == "outcome":
            self.outcome, self.reason = Outcome(event["outcome"]), event["reason"]
            self.ended_at = event["time"]
        elif event["event"] == "notice":
            self.notices += (event["text"],)


def proposed_trial(event: Mapping[str, Any]) -> RecordedTrial:
    """A configuration that is going to be tried."""
    return RecordedTrial(
        key=event["key"],
        number=event["number"],
        source=event["source"],
        chosen=with_tuples(event["chosen"]),
        config=_shared(event["config"]),
        proposed_at=event["time"],
        proposed_by=event.get("proposed_by", ""),
    )


def updated_trial(event: Mapping[str, Any], folder: Path) -> RecordedTrial:
    """A trial that is going to meet later data, whose files lie in ``folder``."""
    data = event["config"]["data"]
    arrivals = tuple(str(folder / name) for name in data["arrivals"])
    return RecordedTrial(
        key=event["key"],
        number=event["number"],
        source="update",
        chosen={},
        config={**event["config"], "data": {**data, "arrivals": arrivals}},
        proposed_at=event["time"],
        updated_from=event["updated_from"],
    )


def prior_trial(event: Mapping[str, Any], *, number: int) -> RecordedTrial:
    """A trial of an earlier study."""
    return RecordedTrial(
        key=event["key"],
        number=number,
        source="prior",
        chosen=with_tuples(event["chosen"]),
        config=event["config"],
        history=TrialHistory.from_dict(event["history"]),
        outcome=Outcome(event["outcome"]),
    )


def _shared(value: Any) -> Any:
    """The same, of texts that other trials have too: of thousands of trials each is kept once."""
    if isinstance(value, dict):
        return {sys.intern(name): _shared(inner) for name, inner in value.items()}
    return sys.intern(value) if isinstance(value, str) else value


def with_tuples(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Chosen values as they were, before JSON made lists of their tuples."""
    return {path: tuple(v) if isinstance(v, list) else v for path, v in chosen.items()}
