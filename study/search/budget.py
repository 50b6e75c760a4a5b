"""When a study has used up what it was given, and the message for it."""

import itertools
import time
from dataclasses import dataclass, field

from study.config.study_sections import BudgetSection
from study.results import Outcome
from study.store.record import Record, RecordedTrial
from study.text import count

_HOUR_S = 3600.0


@dataclass(frozen=True)
class End:
    """Why a study ends before all its trials have.

    Attributes:
        text: For people, with what to do.
        is_finished: Whether the study is over; else it is left to be resumed.
    """

    text: str
    is_finished: bool


class _Tally:
    """What a record's trials have come to; those that have ended are looked at once more only."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._num_seen = 0
        self._running: list[RecordedTrial] = []
        self._ended_flops = 0.0
        self.num_failed = 0

    def update(self) -> None:
        """Take in what the record has of new trials, and which have ended."""
        trials = self._record.trials.values()
        self._running += itertools.islice(trials, self._num_seen, None)
        self._num_seen = len(trials)
        for trial in self._running:
            if trial.outcome is not None:
                self._ended_flops += _train_flops(trial)
                self.num_failed += trial.outcome is Outcome.ERROR
        self._running = [trial for trial in self._running if trial.outcome is None]

    @property
    def train_flops(self) -> float:
        """As :func:`train_flops`."""
        return self._ended_flops + sum(map(_train_flops, self._running))


@dataclass
class Budget:
    """What is left of a study's budget while this process runs it.

    Hours count from the record's first session to now, without the time in between sessions;
    FLOPs are what all trials have reported; failures are those since this process began, so that a
    study whose fault was mended can be resumed.
    """

    limits: BudgetSection
    record: Record
    _seconds_before: float = field(init=False)
    _failures_before: int = field(init=False)
    _tally: _Tally = field(init=False)
    _begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._seconds_before = self.record.seconds
        self._tally = _Tally(self.record)
        self._tally.update()
        self._failures_before = self._tally.num_failed

    @property
    def hours(self) -> float:
        """Wall time of the study so far."""
        return (self._seconds_before + time.monotonic() - self._begun) / _HOUR_S

    def end(self) -> End | None:
        """Why the study is to end now; None while it goes on."""
        self._tally.update()
        return self._exhausted() or self._failed()

    def _exhausted(self) -> End | None:
        limits, more = self.limits, self.record.command("extend")
        if limits.hours is not None and self.hours >= limits.hours:
            return End(
                f"budget.hours = {limits.hours:g} is used up; more of it: {more} --hours HOURS",
                is_finished=True,
            )
        if limits.train_flops is not None and self._tally.train_flops >= limits.train_flops:
            return End(
                f"budget.train_flops = {limits.train_flops:g} is used up; "
                f"more of it: {more} --train-flops FLOPS",
                is_finished=True,
            )
        return None

    def _failed(self) -> End | None:
        most = 1 if self.limits.fail_fast else self.limits.max_failures
        failed = self._tally.num_failed - self._failures_before
        if most is None or failed < most:
            return None
        which = "budget.fail_fast" if self.limits.fail_fast else f"budget.max_failures = {most}"
        has = "has" if failed == 1 else "have"
        text = f"{count(failed, 'trial')} {has} failed, which {which} makes the end"
        return End(text, is_finished=False)


def train_flops(record: Record) -> float:
    """FLOPs of training, counted dense, that all trials have reported."""
    return sum(map(_train_flops, record.trials.values()))


def _train_flops(trial: RecordedTrial) -> float:
    newest = trial.history.megabatches[-1:]
    return sum(megabatch.metrics.get("train_flops", 0.0) for megabatch in newest)
