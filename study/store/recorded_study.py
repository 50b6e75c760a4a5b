"""What the lines of a study's record come to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from study.store.recorded_trial import (
    RecordedTrial,
    prior_trial,
    proposed_trial,
    updated_trial,
    with_tuples,
)

ARRIVALS_FOLDER: Final = "arrivals"


class RecordedStudy:
    """A study as far as it is recorded.

    Attributes:
        study_id: The study's own, made by chance when its record begins, by which it is told from
            another of its name; empty where nothing has begun it.
        trials: By key, what the study has tried: these are searched, compared and counted.
        updates: By key, trials that went on with data of later: these are not.
        repeats: Proposals that were answered from here.
        refused: Proposals that were not trained, since they are known to break a constraint: how
            many trials had been proposed before, and the chosen values.
        priors: Trials of earlier studies.
        places: Chosen values that were good in earlier studies of other data or models.
        is_warm: Whether all that earlier studies know is among these two.
    """

    def __init__(self) -> None:
        self.study_id = ""
        self.trials: dict[str, RecordedTrial] = {}
        self.updates: dict[str, RecordedTrial] = {}
        self.repeats: list[tuple[str, Mapping[str, Any]]] = []
        self.refused: list[tuple[int, Mapping[str, Any]]] = []
        self.priors: list[RecordedTrial] = []
        self.places: list[Mapping[str, Any]] = []
        self.is_warm = False
        self.is_finished = False
        self._path = Path()
        self._seconds = 0.0
        self._session: tuple[float, float] | None = None  # first and last event's time

    def find(self, key: str) -> RecordedTrial:
        """A trial or an update."""
        return self.trials[key] if key in self.trials else self.updates[key]

    @property
    def all(self) -> dict[str, RecordedTrial]:
        """Trials and updates by key."""
        return {**self.trials, **self.updates}

    @property
    def seconds(self) -> float:
        """Wall time of all sessions, each from its beginning to the last that it wrote."""
        begun, last = self._session or (0.0, 0.0)
        return self._seconds + last - begun

    def take(self, event: Mapping[str, Any]) -> None:
        """One more line.

        Raises:
            KeyError, TypeError, ValueError: It is damaged.
        """
        kind = event["event"]
        self._count_time(event["time"], kind)
        if kind == "trial":
            self.trials[event["key"]] = proposed_trial(event)
        elif kind == "update":
            folder = self._path.parent / ARRIVALS_FOLDER
            self.updates.setdefault(event["key"], updated_trial(event, folder))
        elif kind == "prior":
            self.priors.append(prior_trial(event, number=len(self.priors)))
        elif kind in ("repeat", "refused", "place"):
            self._take_proposal(event)
        elif kind in ("session", "warm", "finished", "reopened"):
            self._take_state(event)
        elif kind in ("history", "outcome", "notice"):
            self.find(event["key"]).take(event)

    def _take_state(self, event: Mapping[str, Any]) -> None:
        """What the study itself has come to."""
        kind = event["event"]
        if kind == "session":
            self.study_id = self.study_id or event.get("study_id", "")
        elif kind == "warm":
            self.is_warm = True
        else:
            self.is_finished = kind == "finished"

    def _take_proposal(self, event: Mapping[str, Any]) -> None:
        """Chosen values that became no trial of their own."""
        kind, chosen = event["event"], with_tuples(event["chosen"])
        if kind == "repeat":
            self.repeats.append((event["key"], chosen))
        elif kind == "refused":
            self.refused.append((len(self.trials), chosen))
        else:
            self.places.append(chosen)

    def _count_time(self, now: float, kind: str) -> None:
        if kind == "session":
            self._seconds, self._session = self.seconds, (now, now)
        elif kind == "update":
            # It is no part of the search, whose budget it does not use up.
            self._seconds, self._session = self.seconds, None
        elif self._session is not None:
            # A clock that was set back takes nothing away.
            self._session = (self._session[0], max(self._session[1], now))

    def unfinished(self) -> list[RecordedTrial]:
        """Trials that were interrupted, in order of proposal."""
        return [t for t in self.trials.values() if t.outcome is None]
