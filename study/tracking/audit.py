"""Whether a study's runs in a store agree with its record, and their repair."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from study.results import Outcome, TrialHistory
from study.tracking import names
from study.tracking.metric_points import MetricPoint, metric_points
from study.tracking.run_store import STATUSES, StoredRun


@dataclass(frozen=True)
class ExpectedTrial:
    """A trial as the record has it; ``outcome`` is INTERRUPTED for one that has not ended."""

    history: TrialHistory
    outcome: Outcome


class AuditedStore(Protocol):
    """What an audit needs of a store of runs."""

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
    """What disagrees with the record, and what is to be done.

    Attributes:
        texts: (trial key, or nothing for the study's own run; what is wrong).
        to_remove: Runs that are to be deleted.
        to_reopen: Runs that are to be completed.
    """

    texts: list[tuple[str, str]] = field(default_factory=list)
    to_remove: list[str] = field(default_factory=list)
    to_reopen: list[StoredRun] = field(default_factory=list)


def audit_runs(
    store: AuditedStore,
    study: str,
    expected: Mapping[str, ExpectedTrial],
    *,
    study_id: str,
    outcome: Outcome,
) -> RunFindings:
    """Compare a study's runs with its record; those of another study of its name are left alone.

    Args:
        store: Where the runs are.
        study: The study's name.
        expected: Trial key → the trial; one without any report may have no run.
        study_id: The study's, which its runs have.
        outcome: Of the study itself.
    """
    found = RunFindings()
    wanted = {names.TAG_STUDY: study}
    parents = store.find({**wanted, names.TAG_KIND: names.KIND_STUDY})
    _audit_parents(parents, study_id, outcome, found)
    by_key: dict[str, list[StoredRun]] = {}
    for run in store.find({**wanted, names.TAG_KIND: names.KIND_TRIAL}):
        if not run.is_of(study_id):
            continue
        by_key.setdefault(run.tags.get(names.TAG_TRIAL_KEY, ""), []).append(run)
    for key, runs in by_key.items():
        if key not in expected:
            found.texts += [(key, f"no such trial in the record (run {r.run_id})") for r in runs]
            found.to_remove += [run.run_id for run in runs]
    for key, trial in expected.items():
        _audit_trial(store, key, trial, by_key.get(key, []), found)
    return found


def repair_runs(store: AuditedStore, findings: RunFindings) -> None:
    """Remove what is wrong and reopen what is incomplete, for the tracker to complete."""
    for run_id in findings.to_remove:
        store.remove(run_id)
    for run in findings.to_reopen:
        store.reopen(run, {names.TAG_OUTCOME: names.OUTCOME_RUNNING})


def _audit_parents(
    named: list[StoredRun], study_id: str, outcome: Outcome, found: RunFindings
) -> None:
    parents = [run for run in named if run.is_of(study_id)]
    found.texts += [
        ("", f"another study of this name is there ({run.run_id}) and left alone")
        for run in named
        if run not in parents
    ]
    if not parents:
        found.texts.append(("", "the study has no run"))
        return
    found.texts += [("", f"a second run of the study ({run.run_id})") for run in parents[1:]]
    found.to_remove += [run.run_id for run in parents[1:]]
    wrong_end = _wrong_end(parents[0], outcome)
    if wrong_end:
        found.texts.append(("", f"the study's run {wrong_end}"))


def _audit_trial(
    store: AuditedStore, key: str, trial: ExpectedTrial, runs: list[StoredRun], found: RunFindings
) -> None:
    if not runs:
        if trial.history.epochs or trial.outcome is not Outcome.INTERRUPTED:
            found.texts.append((key, "has no run"))
        return
    found.texts += [(key, f"has a second run ({run.run_id})") for run in runs[1:]]
    found.to_remove += [run.run_id for run in runs[1:]]
    run = runs[0]
    wrong = list(_wrong_points(store.points(run.run_id), trial.history))
    wrong_end = _wrong_end(run, trial.outcome)
    if any(is_lasting for _, is_lasting in wrong):
        found.to_remove.append(run.run_id)  # a store removes no single value
    elif wrong or wrong_end:
        found.to_reopen.append(run)
    found.texts += [(key, text) for text, _ in wrong]
    if wrong_end:
        found.texts.append((key, f"its run {wrong_end}"))


def _wrong_end(run: StoredRun, outcome: Outcome) -> str:
    tag = run.tags.get(names.TAG_OUTCOME, "")
    if (run.status, tag) == (STATUSES[outcome], str(outcome)):
        return ""
    return f"is {run.status} and {tag or 'without outcome'}, not {STATUSES[outcome]} and {outcome}"


def _wrong_points(points: list[MetricPoint], history: TrialHistory) -> Iterator[tuple[str, bool]]:
    """What is wrong, and whether it cannot be corrected within the run."""
    wanted = {(p.name, p.step): p.value for p in metric_points(history)}
    own = [p for p in points if not p.name.startswith(names.HYPERPARAMETER_PREFIX)]
    counts = Counter((point.name, point.step) for point in own)
    missing = wanted.keys() - counts.keys()
    unrecorded = counts.keys() - wanted.keys()
    repeated = [place for place, count in counts.items() if count > 1]
    other = {(p.name, p.step) for p in own if not _same(p.value, wanted.get((p.name, p.step)))}
    for values, what, is_lasting in (
        (missing, "missing", False),
        (unrecorded, "not in the record", True),
        (repeated, "logged twice", True),
        (other - unrecorded, "different from the record", True),
    ):
        if values:
            name, step = min(values)
            yield f"{len(values)} values {what}, e.g. {name} at step {step}", is_lasting


def _same(logged: float, recorded: float | None) -> bool:
    if recorded is None:
        return False
    if math.isnan(logged):
        return not math.isfinite(recorded)  # infinity cannot be drawn, and is logged as NaN
    return logged == recorded
