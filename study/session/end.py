"""What early stopping has saved, in examples through SGD."""

import collections
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from study.results import Outcome
from study.search.budget import End
from study.session.failure_causes import by_cause
from study.store.record import Record, RecordedTrial
from study.tracking.background import Undelivered

_SAMPLES = "samples_seen"


@dataclass(frozen=True)
class Savings:
    """Examples through SGD that stopped trials did not take.

    Attributes:
        num_stopped: Trials that were stopped early and whose whole cost is known.
        used: Examples that all trials with an outcome took.
        saved: Examples that the stopped ones would have taken besides.
    """

    num_stopped: int
    used: float
    saved: float

    @property
    def fraction(self) -> float:
        """Of what all trials would have taken without stopping."""
        return self.saved / (self.used + self.saved) if self.saved else 0.0


def savings(trials: Iterable[RecordedTrial]) -> Savings:
    """What stopping saved.

    A trial's whole cost is its ``training.total_samples``, or else the mean of the complete trials
    with its T and its epochs; where there is neither it is left out.
    """
    ended = [t for t in trials if t.outcome is not None and t.history.megabatches]
    whole: dict[tuple[int, int], list[float]] = defaultdict(list)
    for trial in ended:
        if trial.outcome is Outcome.COMPLETE:
            whole[_length(trial)].append(_used(trial))
    stopped, saved = 0, 0.0
    for trial in (t for t in ended if t.outcome is Outcome.EARLY_STOPPED):
        total = trial.config["training"]["total_samples"]
        alike = whole[_length(trial)]
        if total is None and alike:
            total = math.fsum(alike) / len(alike)
        if total is not None:
            stopped += 1
            saved += max(0.0, total - _used(trial))
    return Savings(stopped, math.fsum(_used(trial) for trial in ended), saved)


def _used(trial: RecordedTrial) -> float:
    return trial.history.megabatches[-1].metrics.get(_SAMPLES, 0.0)


def _length(trial: RecordedTrial) -> tuple[int, int]:
    return trial.config["stream"]["num_megabatches"], trial.config["training"]["epochs"] or 0


@dataclass(frozen=True)
class StudyEnd:
    """How far a study has come when this process ends its part.

    Attributes:
        num_interrupted: Trials that were begun and have not ended.
        failures: A reason for each cause, and how many trials failed of it, most frequent first.
        savings: Of early stopping.
        why: What ended the study before all its trials had, with what to do; else empty.
        undelivered: What the tracking store is missing.
        unsent: Why the study's own store is missing a part of it; empty if it has.
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
        savings=savings(trials),
        why=budget_end.text if budget_end else "",
        undelivered=undelivered,
        unsent=unsent,
    )
