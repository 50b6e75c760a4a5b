"""Early stopping: where trials are compared, and what it has saved, in examples."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from study.results import Outcome


@dataclass(frozen=True)
class TrialCost:
    """What a trial with an outcome took.

    Attributes:
        used: Examples through SGD.
        stated: Those of its whole stream, where its configuration states them.
        length: Equal for trials whose whole streams cost alike.
    """

    outcome: Outcome
    used: float
    stated: float | None
    length: Hashable


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


def savings(trials: Iterable[TrialCost]) -> Savings:
    """What stopping saved.

    A trial's whole cost is stated, or else the mean of the complete trials of its length; where
    there is neither it is left out.
    """
    ended = [trial for trial in trials if not math.isnan(trial.used)]
    complete: dict[Hashable, list[float]] = defaultdict(list)
    for trial in ended:
        if trial.outcome is Outcome.COMPLETE:
            complete[trial.length].append(trial.used)
    saved = []
    for trial in ended:
        if trial.outcome is Outcome.EARLY_STOPPED:
            whole, alike = trial.stated, complete[trial.length]
            if whole is None and alike:
                whole = math.fsum(alike) / len(alike)
            if whole is not None:
                saved.append(max(0.0, whole - trial.used))
    return Savings(len(saved), math.fsum(trial.used for trial in ended), math.fsum(saved))


def rungs(first: float, reduction: float, *, end: float = 1.0) -> tuple[float, ...]:
    """Where trials are compared: at ``first`` and ``reduction`` times as far each, below ``end``.

    Args:
        first: Of the stream, in (0, ``end``), in the unit of ``end``.
        reduction: Above 1.
        end: Of the stream.
    """
    found = [first]
    while found[-1] * reduction < end:
        found.append(found[-1] * reduction)
    return tuple(found)
