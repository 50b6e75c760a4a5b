"""What several comparisons show together, so that anything false is said in at most 5 %."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.statistics.differences import MethodDifference
from analysis.statistics.verdicts import Verdict
from study.comparisons import SIGNIFICANCE, pairs_needed


@dataclass(frozen=True)
class Finding:
    """What a comparison shows of a against b, beside all those that it is made with.

    Attributes:
        verdict: As of a configuration against dense (:mod:`analysis.statistics.verdicts`); or
            *not pooled* where configurations truly differ in sign: they are told one by one.
        p: That there is no difference, by Holm over all comparisons.
        shown: Where the cost of a is shown to be against that of b; None where neither is.
    """

    verdict: Verdict | Literal["not_pooled"]
    p: float
    shown: Literal["lower", "higher"] | None = None


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p, in the order given: compare each with 0.05 as if it were alone."""
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def judge_differences(
    differences: Sequence[MethodDifference],
    margins: Sequence[float],
    *,
    others: Sequence[float] = (),
    significance: float = SIGNIFICANCE,
) -> tuple[list[Finding], list[float]]:
    """Verdicts on differences in cost, with Holm over them all and over other tests.

    Each comparison asks of two values whether the difference lies on one side of them: of 0
    (*better*) and of the margin (*as good* below it, *worse* above). Of these at most one answer
    upwards and one downwards can be false and not follow from another, so that a comparison counts
    once among the others, by the least of its p. Nothing is shown by fewer pairs than can decide
    so many comparisons, nor by pairs that do not vary.

    Args:
        differences: Of a − b, such that lower is better.
        margins: Of each comparison: how much worse is still as good; 0 where nothing is.
        others: p of tests that belong to the same family.
        significance: Of anything false among them all, in (0, 1).

    Returns:
        A finding for each difference, and the adjusted p of each other test.
    """
    family = len(differences) + len(others)
    fewest = pairs_needed(family) if family else 0
    can_decide = [
        d.num_pairs >= fewest and d.interval() is not None and not d.differs_in_sign
        for d in differences
    ]
    least = [
        min(d.p_at(0.0), d.p_at(margin)) for d, margin in zip(differences, margins, strict=True)
    ]
    both = [*least, *others]
    made: dict[int, Finding] = {}
    adjusted = [0.0] * family
    reached = 0.0
    for rank, place in enumerate(sorted(range(family), key=lambda i: both[i])):
        step = _Step(family - rank, reached, significance)
        if place < len(differences):
            made[place] = step.finding(
                differences[place], margins[place], can_decide=can_decide[place]
            )
        reached = adjusted[place] = step.adjusted(both[place])
    return [made[i] for i in range(len(differences))], adjusted[len(differences) :]


@dataclass(frozen=True)
class _Step:
    """One step of Holm's: each p counts ``factor`` times, and none less than the one before."""

    factor: int
    reached: float
    significance: float

    def adjusted(self, p: float) -> float:
        return max(self.reached, min(1.0, self.factor * p))

    def finding(self, d: MethodDifference, margin: float, *, can_decide: bool) -> Finding:
        p = self.adjusted(d.p_at(0.0))
        if d.differs_in_sign:
            return Finding("not_pooled", p)
        if not can_decide:
            return Finding("undecided", p)
        if p < self.significance and d.estimate < 0:
            return Finding("better", p, "lower")
        shown: Literal["higher"] | None = "higher" if p < self.significance else None
        if self.adjusted(d.p_at(margin)) < self.significance:
            return Finding("as_good" if d.estimate < margin else "worse", p, shown)
        return Finding("undecided", p, shown)
