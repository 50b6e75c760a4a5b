"""How far a study has come when a process leaves it."""

import collections
from dataclasses import dataclass

from study.results import Outcome
from study.tracking.background import Undelivered
from study.tune.budget import End
from study.tune.failures import by_cause
from study.tune.record import Record
from study.tune.savings import Savings, savings


@dataclass(frozen=True)
class StudyEnd:
    """How far a study has come when this process leaves it.

    Attributes:
        num_cut: Trials that were begun and have not ended.
        failures: A reason for each cause, and how many trials failed of it, most frequent first.
        savings: Of early stopping.
        why: What ended the study before all its trials had, with what to do; else empty.
        undelivered: What the tracking store has not got.
        unsent: Why the study's own store has not got all of it; empty if it has.
    """

    name: str
    is_finished: bool
    num_complete: int
    num_failed: int
    num_cut: int
    failures: tuple[tuple[str, int], ...]
    savings: Savings
    why: str = ""
    undelivered: Undelivered | None = None
    unsent: str = ""


def study_end(
    record: Record,
    *,
    is_finished: bool,
    budget_end: End | None,
    undelivered: Undelivered | None,
    unsent: str,
) -> StudyEnd:
    """The end of this process's part in a study."""
    trials = record.trials.values()
    outcomes = collections.Counter(trial.outcome for trial in trials)
    return StudyEnd(
        name=record.name,
        is_finished=is_finished,
        num_complete=outcomes[Outcome.COMPLETE],
        num_failed=outcomes[Outcome.ERROR],
        num_cut=outcomes[None],
        failures=by_cause(trial.reason for trial in trials if trial.outcome is Outcome.ERROR),
        savings=savings(trials),
        why=budget_end.text if budget_end else "",
        undelivered=undelivered,
        unsent=unsent,
    )
