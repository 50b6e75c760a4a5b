"""How far a study has come when its process ends."""

import collections
from dataclasses import dataclass

from study.results import Outcome
from study.savings import Savings, TrialCost, savings
from study.search.budget import End
from study.session.failure_causes import by_cause
from study.store.record import Record, RecordedTrial
from study.tracking.background import Undelivered


def _cost(trial: RecordedTrial, outcome: Outcome) -> TrialCost:
    training = trial.config["training"]
    return TrialCost(
        outcome,
        used=trial.history.megabatches[-1].metrics.get("samples_seen", 0.0),
        stated=training["total_samples"],
        # The examples of a budget of FLOPs depend on the network.
        length=(
            trial.config["stream"]["num_megabatches"],
            training["epochs"],
            training.get("samples_per_model"),
            training.get("total_flops"),
            str(training.get("at")),
            trial.config["model"]["architecture"],
        ),
    )


@dataclass(frozen=True)
class StudyEnd:
    """How far a study has come when this process ends its part.

    Attributes:
        num_interrupted: Trials that were begun and have not ended.
        failures: A reason for each cause, and how many trials failed of it, most frequent first.
        savings: Of early stopping.
        why: What ended the study before all its trials had ended, with what to do; else empty.
        undelivered: What the tracking store is missing.
        unsent: Why the study's own store is missing a part of it; empty if it has all.
    """

    name: str
    is_finished: bool
    num_complete: int
    num_failed: int
    num_interrupted: int
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
        num_interrupted=outcomes[None],
        failures=by_cause(trial.reason for trial in trials if trial.outcome is Outcome.ERROR),
        savings=savings(
            _cost(trial, trial.outcome)
            for trial in trials
            if trial.outcome is not None and trial.history.megabatches
        ),
        why=budget_end.text if budget_end else "",
        undelivered=undelivered,
        unsent=unsent,
    )
