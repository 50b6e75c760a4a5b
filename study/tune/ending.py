"""How far a study has come when a process leaves it."""

import collections
import re
from collections.abc import Iterable
from dataclasses import dataclass

from study.results import Outcome
from study.tracking.background import Undelivered
from study.tune.budget import End
from study.tune.record import Record, RecordedTrial
from study.tune.savings import Savings, savings

_NUMBER = re.compile(r"(?<![A-Za-z_])[-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|nan|inf)\b")


@dataclass(frozen=True)
class StudyEnd:
    """How far a study has come when this process leaves it.

    Attributes:
        num_cut: Trials that were begun and have not ended.
        failures: A reason for each cause, and how many trials failed of it, most frequent first.
        savings: Of early stopping.
        why: What ended the study before all its trials had, with what to do; else empty.
        undelivered: What the tracking store has not got.
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


def study_end(
    record: Record,
    *,
    is_finished: bool,
    budget_end: End | None,
    undelivered: Undelivered | None,
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
        failures=failures_by_cause(trials),
        savings=savings(trials),
        why=budget_end.text if budget_end else "",
        undelivered=undelivered,
    )


def failures_by_cause(trials: Iterable[RecordedTrial]) -> tuple[tuple[str, int], ...]:
    """The first reason of each cause and its count; reasons that differ in numbers are one."""
    reasons = [trial.reason for trial in trials if trial.outcome is Outcome.ERROR]
    causes = collections.Counter(_NUMBER.sub("#", reason) for reason in reasons)
    first: dict[str, str] = {}
    for reason in reasons:
        first.setdefault(_NUMBER.sub("#", reason), reason)
    return tuple((first[cause], count) for cause, count in causes.most_common())
