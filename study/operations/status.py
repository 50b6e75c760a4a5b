"""The status of studies, from their records alone: quick, and while they run."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.constraints import Constraint, parse_constraints
from study.credentials import is_redacted
from study.errors import StudyError
from study.files import RECORD_FILE, study_names
from study.results import Outcome
from study.search.ranking import best_first
from study.store.lock import is_locked
from study.store.store import no_such_study
from study.text import duration
from study.trial.titles import title_of

# Most of a record are histories, of which only a trial's last is needed: the rest is not parsed.
_HISTORY = re.compile(rb'\{"event":"history","key":"([^"]+)".*,"time":([\d.]+)\}\n', re.DOTALL)


@dataclass
class TrialStatus:
    """The status of a trial.

    Attributes:
        outcome: None while it runs, or where it was interrupted.
        stream_fraction: How much of its stream it was trained on.
        metrics: Of its last model.
    """

    key: str
    number: int
    title: str
    outcome: Outcome | None = None
    reason: str = ""
    stream_fraction: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass
class StudyStatus:
    """The status of a study.

    Attributes:
        state: ``running``, ``finished``, ``interrupted``, or ``unreadable``.
        trouble: Why it is unreadable; empty for all others.
        num_trials: In all, as far as known before they are proposed.
        shown: The metrics that are shown of it; the first ranks.
        constraints: What a trial must meet to be among the best.
        updates: Trials that were updated with later data, which are none of the search.
        varied: Paths in which its trials may differ, which are in their titles.
        tracking: Where MLflow is, without credentials.
        last_at: When something was last recorded, in seconds since 1970.
        active_s: How long processes have worked on it.
        confirmed_by: The study that runs its best again after it; empty where none does.
        confirmation: The status of that one; None where it has not begun.
    """

    name: str
    state: str = "interrupted"
    trouble: str = ""
    num_trials: int = 0
    shown: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    varied: tuple[str, ...] = ()
    tracking: str = ""
    experiment: str = ""
    trials: dict[str, TrialStatus] = field(default_factory=dict)
    updates: dict[str, TrialStatus] = field(default_factory=dict)
    last_at: float = 0.0
    active_s: float = 0.0
    confirmed_by: str = ""
    confirmation: "StudyStatus | None" = None

    def find(self, key: str) -> TrialStatus:
        """A trial or an update."""
        return self.trials[key] if key in self.trials else self.updates[key]

    def count(self, outcome: Outcome | None) -> int:
        """How many trials ended so; None for those that have not."""
        return sum(trial.outcome is outcome for trial in self.trials.values())

    def best_first(self) -> list[TrialStatus]:
        """The complete trials that may win, the best by the first shown metric first."""
        if not self.shown:
            return []
        complete = [t for t in self.trials.values() if t.outcome is Outcome.COMPLETE]
        return best_first(complete, lambda t: t.metrics, self.shown[0], self.constraints)

    @property
    def stage(self) -> str:
        """Where it stands, for people: its state, and of what is confirmed how far that is."""
        if not self.confirmed_by:
            return self.state
        if self.state != "finished":
            return "searching" if self.state == "running" else self.state
        if self.confirmation is None:
            return "to be confirmed"
        return {
            "running": "confirming",
            "finished": "confirmed",
            "interrupted": "confirmation interrupted",
        }[self.confirmation.state]

    @property
    def is_running(self) -> bool:
        """Whether a process is at work on it, or on what confirms it."""
        confirming = self.confirmation is not None and self.confirmation.state == "running"
        return self.state == "running" or confirming

    def progress(self, details: str = "") -> str:
        """``12 of 29 trials ended (12 complete); about 3 min left``, with ``details`` so."""
        ended = len(self.trials) - self.count(None)
        left = self.seconds_left
        about = f"; about {duration(left)} left" if left is not None else ""
        in_brackets = f" ({details})" if details else ""
        return f"{ended} of {self.num_trials or '?'} trials ended{in_brackets}{about}"

    @property
    def tracking_uri(self) -> str | None:
        """Where MLflow is, to be opened again; None where credentials are missing from it."""
        return None if is_redacted(self.tracking) else self.tracking or None

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None where it is unknown."""
        part = sum(t.stream_fraction for t in self.trials.values() if t.outcome is None)
        done = len(self.trials) - self.count(None) + part
        if self.state != "running" or done <= 0:
            return None
        return max(0.0, self.num_trials - done) * self.active_s / done


def read_status(root: Path, name: str, *, is_held: bool = False) -> StudyStatus:
    """Read the status of a study.

    Args:
        root: The folder of all studies.
        name: The study's.
        is_held: Whether a process on another machine holds it, which no lock here shows.

    Raises:
        StudyError: There is none of that name (with those there are), or its record is damaged.
    """
    if name not in study_names(root):
        raise no_such_study(root, name)
    path = root / name / RECORD_FILE
    study, histories = StudyStatus(name), dict[str, bytes]()
    is_finished = False
    for number, line in enumerate(_lines(path), start=1):
        try:
            is_finished = _apply_event(study, histories, line, is_finished)
        except (ValueError, KeyError, TypeError):
            raise StudyError(
                f"{path}, line {number}: cannot be read; the record is damaged"
            ) from None
    for key, line in histories.items():
        _add_history(study.find(key), json.loads(line)["history"])
    is_running = is_held or is_locked(root / name)
    if is_running:
        study.active_s += time.time() - study.last_at
    study.state = "running" if is_running else "finished" if is_finished else "interrupted"
    return study


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from (line for line in file if line.endswith(b"\n"))


def _apply_event(
    study: StudyStatus, histories: dict[str, bytes], line: bytes, is_finished: bool
) -> bool:
    """Apply a line of the record; whether the study is finished after it."""
    match = _HISTORY.fullmatch(line)
    if match is not None:
        key, at = match[1].decode(), float(match[2])
        # An interval may end in a report without a megabatch; the last one with one counts.
        if b'"stream_fraction"' in line:
            histories[key] = line
        _add_time(study, at, is_work=key in study.trials)
        return is_finished
    event: dict[str, Any] = json.loads(line)
    kind = event["event"]
    if kind == "session":
        study.num_trials = event.get("num_trials", 0)
        study.shown = tuple(event.get("shown", ()))
        study.varied = tuple(event.get("varied", ()))
        study.constraints = parse_constraints(event.get("constraints", ""))
        study.confirmed_by = event.get("confirmation", "")
        study.tracking, study.experiment = event.get("tracking", ""), event.get("experiment", "")
        study.last_at = event["time"]  # nobody was at work before
    elif kind == "trial":
        key = event["key"]
        study.trials[key] = TrialStatus(
            key, event["number"], title_of(event["config"], study.varied)
        )
    elif kind == "update":
        key, title = event["key"], title_of(event["config"], study.varied)
        study.updates.setdefault(key, TrialStatus(key, event["number"], title))
    elif kind == "outcome":
        trial = study.find(event["key"])
        trial.outcome, trial.reason = Outcome(event["outcome"]), event["reason"]
    is_work = kind != "update" and event.get("key") not in study.updates
    _add_time(study, event["time"], is_work=is_work)
    return kind == "finished" if kind in ("finished", "reopened") else is_finished


def _add_time(study: StudyStatus, at: float, *, is_work: bool) -> None:
    """Until ``at``; ``is_work`` if the study's own trials were trained meanwhile."""
    if is_work and study.last_at:
        study.active_s += max(0.0, at - study.last_at)
    study.last_at = at


def _add_history(trial: TrialStatus, history: Mapping[str, Any]) -> None:
    last = history["megabatches"][-1]
    trial.stream_fraction = last["stream_fraction"]
    trial.metrics = {**last["metrics"], **last["summary"]}
