"""What is wrong with a study's runs in a store, and setting it right from the study's record."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from study.results import Outcome, TrialHistory
from study.tracking import names
from study.tracking.metric_points import MetricPoint, metric_points
from study.tracking.run_store import StoredRun
from study.tracking.run_tracker import STATUSES


@dataclass(frozen=True)
class Expected:
    """What the record says of a trial; ``outcome`` is INTERRUPTED for one that was interrupted."""

    history: TrialHistory
    outcome: Outcome


class AuditedStore(Protocol):
    """What an audit asks of a store of runs."""

    def find(self, tags: Mapping[str, str], status: str | None = None) -> list[StoredRun]:
        """Runs with all these tags, oldest first."""

    def points(self, run_id: str) -> list[MetricPoint]:
        """Every value that a run has of every metric, as often as it has it."""

    def reopen(self, run: StoredRun, tags: Mapping[str, str]) -> None:
        """Set a run's tags and set it running again."""

    def remove(self, run_id: str) -> None:
        """Delete a run; the store may keep it where it can be restored from."""


@dataclass
class RunFindings:
    """What is wrong, by trial key (empty for the study's own run), and what is to be done.

    Attributes:
        texts: (trial key, what is wrong).
        to_remove: Runs that are to be deleted.
        to_reopen: Runs that are to be completed.
    """

    texts: list[tuple[str, str]] = field(default_factory=list)
    to_remove: list[str] = field(default_factory=list)
    to_reopen: list[StoredRun] = field(default_factory=list)


def audit_runs(
    store: AuditedStore, study: str, expected: Mapping[str, Expected], *, outcome: Outcome
) -> RunFindings:
    """Compare a study's runs with its record.

    Args:
        store: Where the runs are.
        study: The study's name.
        expected: Trial key → what the record says; a trial without any report may have no run.
        outcome: Of the study itself.
    """
    found = RunFindings()
    wanted = {names.TAG_STUDY: study}
    parents = store.find({**wanted, names.TAG_KIND: names.KIND_STUDY})
    _audit_parent(parents, outcome, found)
    by_key: dict[str, list[StoredRun]] = {}
    for run in store.find({**wanted, names.TAG_KIND: names.KIND_TRIAL}):
        by_key.setdefault(run.tags.get(names.TAG_TRIAL_KEY, ""), []).append(run)
    for key, runs in by_key.items():
        if key not in expected:
            found.texts += [
                (key, f"the record knows no such trial (run {r.run_id})") for r in runs
            ]
            found.to_remove += [run.run_id for run in runs]
    for key, trial in expected.items():
        _audit_trial(store, key, trial, by_key.get(key, []), found)
    return found


def mend_runs(store: AuditedStore, findings: RunFindings) -> None:
    """Take away what is wrong and open what is incomplete; the tracker then fills it in."""
    for run_id in findings.to_remove:
        store.remove(run_id)
    for run in findings.to_reopen:
        store.reopen(run, {names.TAG_OUTCOME: names.OUTCOME_RUNNING})


def _audit_parent(parents: list[StoredRun], outcome: Outcome, found: RunFindings) -> None:
    if not parents:
        found.texts.append(("", "the study has no run"))
        return
    found.texts += [("", f"a second run of the study ({run.run_id})") for run in parents[1:]]
    found.to_remove += [run.run_id for run in parents[1:]]
    wrong = _wrong_end(parents[0], outcome)
    if wrong:
        found.texts.append(("", f"the study's run {wrong}"))


def _audit_trial(
    store: AuditedStore, key: str, trial: Expected, runs: list[StoredRun], found: RunFindings
) -> None:
    if not runs:
        if trial.history.epochs or trial.outcome is not Outcome.INTERRUPTED:
            found.texts.append((key, "has no run"))
        return
    found.texts += [(key, f"has a second run ({run.run_id})") for run in runs[1:]]
    found.to_remove += [run.run_id for run in runs[1:]]
    run = runs[0]
    wrong = list(_wrong_points(store.points(run.run_id), trial.history))
    if any(is_lasting for _, is_lasting in wrong):
        found.to_remove.append(run.run_id)  # a store forgets no single value
    elif wrong or _wrong_end(run, trial.outcome):
        found.to_reopen.append(run)
    found.texts += [(key, text) for text, _ in wrong]
    end = _wrong_end(run, trial.outcome)
    if end:
        found.texts.append((key, f"its run {end}"))


def _wrong_end(run: StoredRun, outcome: Outcome) -> str:
    tag = run.tags.get(names.TAG_OUTCOME, "")
    if (run.status, tag) == (STATUSES[outcome], str(outcome)):
        return ""
    return f"says {run.status} and {tag or 'no outcome'}, not {STATUSES[outcome]} and {outcome}"


def _wrong_points(points: list[MetricPoint], history: TrialHistory) -> Iterator[tuple[str, bool]]:
    """What is wrong, and whether it cannot be put right within the run."""
    wanted = {(p.name, p.step): p.value for p in metric_points(history)}
    own = [p for p in points if not p.name.startswith(names.HYPERPARAMETER_PREFIX)]
    counts = Counter((point.name, point.step) for point in own)
    missing = wanted.keys() - counts.keys()
    strange = counts.keys() - wanted.keys()
    twice = [place for place, count in counts.items() if count > 1]
    other = {(p.name, p.step) for p in own if not _same(p.value, wanted.get((p.name, p.step)))}
    for places, what, is_lasting in (
        (missing, "missing", False),
        (strange, "not in the record", True),
        (twice, "logged twice", True),
        (other - strange, "of another value than in the record", True),
    ):
        if places:
            name, step = min(places)
            yield f"{len(places)} values {what}, e.g. {name} at step {step}", is_lasting


def _same(logged: float, recorded: float | None) -> bool:
    if recorded is None:
        return False
    if math.isnan(logged):
        return not math.isfinite(recorded)  # infinity cannot be drawn, and is logged as NaN
    return logged == recorded
