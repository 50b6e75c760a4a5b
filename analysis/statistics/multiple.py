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
            *not pooled* where configurations truly differ in sign: they are reported one by one.
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

    Each comparison asks of two values on which side of them the difference lies: of 0 (*better*)
    and of the margin (*as good* below it, *worse* above). Nothing is shown by fewer pairs than
    can decide so many comparisons, nor by pairs that do not vary.

    Args:
        differences: Of a − b, such that lower is better.
        margins: Of each comparison: how much worse is still as good; 0 where nothing is.
        others: p of tests that belong to the same family.
        significance: Of anything false among them all, in (0, 1).

    Returns:
        A finding for each difference, and the adjusted p of each other test.
    """
    asked = [
        [d.p_at(value) for value in dict.fromkeys((0.0, margin))]
        for d, margin in zip(differences, margins, strict=True)
    ]
    adjusted = _adjusted([*asked, *([p] for p in others)])
    fewest = pairs_needed(len(adjusted)) if adjusted else 0
    made = []
    own = adjusted[: len(differences)]
    for d, margin, p in zip(differences, margins, own, strict=True):
        if d.differs_in_sign:
            made.append(Finding("not_pooled", p[0]))
        elif d.num_pairs < fewest or d.interval() is None:
            made.append(Finding("undecided", p[0]))
        else:
            is_sure = [each < significance for each in p]
            made.append(_finding(d.estimate, margin, p[0], is_sure))
    return made, [p for (p,) in adjusted[len(differences) :]]


def _finding(estimate: float, margin: float, p: float, is_sure: Sequence[bool]) -> Finding:
    """What is shown, by whether the side of 0, and that of the margin, is sure."""
    if is_sure[0] and estimate < 0:
        return Finding("better", p, "lower")
    shown: Literal["higher"] | None = "higher" if is_sure[0] else None
    if is_sure[-1]:
        return Finding("as_good" if estimate < margin else "worse", p, shown)
    return Finding("undecided", p, shown)


def _adjusted(asked: Sequence[Sequence[float]]) -> list[list[float]]:
    """Holm's adjustment of all p, where of those of one comparison at most one is truly null.

    No difference is 0 and the margin at once. So each step counts the comparisons of which
    something is left to be rejected, and not the questions: Shaffer (1986, "Modified sequentially
    rejective multiple test procedures"), procedure S1.
    """
    made = [[1.0] * len(each) for each in asked]
    left = [len(each) for each in asked]
    order = sorted((p, i, j) for i, each in enumerate(asked) for j, p in enumerate(each))
    reached = 0.0
    for p, i, j in order:
        reached = max(reached, min(1.0, sum(number > 0 for number in left) * p))
        made[i][j] = reached
        left[i] -= 1
    return made
