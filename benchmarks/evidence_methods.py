"""How often something false is said of methods: studies that compare schedules, from the table."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.decidable import MARGIN
from analysis.statistics.differences import MethodDifference, example_variance
from analysis.statistics.multiple import Finding, judge_differences
from benchmarks.evidence_studies import Array, EvidenceTable

SCHEDULES = ("app", "cubic", "linear", "one_shot")
COUPLES = tuple(itertools.combinations(SCHEDULES, 2))
# Configurations (criterion and density, equal for all schedules) and seeds of each.
DESIGNS = ((1, 10), (6, 4))


@dataclass(frozen=True)
class MethodStudy:
    """Every two schedules compared in their final error, judged together.

    Attributes:
        says_false: Whether anything that is said of any couple is false in the table.
        says_false_of_none: The same where no two schedules differ: the true difference is taken
            away from every pair.
        says_false_at_margin: The same where every true difference is the margin.
        decided: Share of the couples with a verdict, or a sign.
        covered: Share of the 95 % intervals that hold the true difference.
    """

    says_false: bool
    says_false_of_none: bool
    says_false_at_margin: bool
    decided: float
    covered: float


def cells(table: EvidenceTable) -> list[tuple[int, ...]]:
    """Criteria and densities at which every schedule was run: its configurations, in order."""
    place = {
        (*settings, density): number
        for number, (settings, density) in enumerate(
            zip(table.settings, table.densities, strict=True)
        )
    }
    found = []
    for (schedule, *rest), _ in place.items():
        wanted = [(other, *rest) for other in SCHEDULES]
        if schedule == SCHEDULES[0] and all(key in place for key in wanted):
            found.append(tuple(place[key] for key in wanted))
    return found


def method_studies(
    table: EvidenceTable,
    *,
    size: int,
    design: tuple[int, int],
    num_studies: int,
    margin: float = MARGIN,
) -> list[MethodStudy]:
    """Studies drawn from the table anew: configurations, seeds with replacement, a holdout."""
    rng = np.random.default_rng([size, *design])
    among = cells(table)
    return [_study(table, among, size, design, margin, rng) for _ in range(num_studies)]


def _study(
    table: EvidenceTable,
    among: Sequence[tuple[int, ...]],
    size: int,
    design: tuple[int, int],
    margin: float,
    rng: np.random.Generator,
) -> MethodStudy:
    num_configurations, num_seeds = design
    holdout = rng.choice(table.num_examples, size, replace=False)
    seeds = rng.choice(table.num_seeds, num_seeds)
    chosen = [among[i] for i in rng.choice(len(among), num_configurations, replace=False)]
    means = table.truth(holdout)[1].mean(axis=1)
    final = [[table.losses(c, seeds, holdout).final for c in cell] for cell in chosen]
    differences, truths = [], []
    for a, b in itertools.combinations(range(len(SCHEDULES)), 2):
        strata = [losses[a] - losses[b] for losses in final]
        differences.append(_difference(strata))
        truths.append(float(np.mean([means[cell[a]] - means[cell[b]] for cell in chosen])))
    findings = _judged(differences, margin)
    zero = _judged(_moved(differences, truths, 0.0), margin)
    at_margin = _judged(_moved(differences, truths, margin), margin)
    intervals = [d.interval() for d in differences]
    return MethodStudy(
        says_false=any(_is_false(f, t, margin) for f, t in zip(findings, truths, strict=True)),
        says_false_of_none=any(_is_false(f, 0.0, margin) for f in zero),
        says_false_at_margin=any(_is_false(f, margin, margin) for f in at_margin),
        decided=float(
            np.mean([f.verdict != "undecided" or f.shown is not None for f in findings])
        ),
        covered=float(
            np.mean([i is not None and t in i for i, t in zip(intervals, truths, strict=True)])
        ),
    )


def _difference(strata: Sequence[Array]) -> MethodDifference:
    by_pair = tuple(tuple(stratum.mean(axis=1).tolist()) for stratum in strata)
    return MethodDifference(by_pair, example_variance(strata))


def _judged(differences: Sequence[MethodDifference], margin: float) -> list[Finding]:
    findings, _ = judge_differences(differences, [margin] * len(differences))
    return findings


def _moved(
    differences: Sequence[MethodDifference], truths: Sequence[float], to: float
) -> list[MethodDifference]:
    """As if every true difference were ``to``."""
    return [
        MethodDifference(
            tuple(tuple(value - truth + to for value in stratum) for stratum in d.strata),
            d.example_variance,
        )
        for d, truth in zip(differences, truths, strict=True)
    ]


def _is_false(finding: Finding, truth: float, margin: float) -> bool:
    """Whether anything that a finding says is false."""
    return (
        (finding.shown == "lower" and truth >= 0)
        or (finding.shown == "higher" and truth <= 0)
        or (finding.verdict == "as_good" and truth >= margin)
        or (finding.verdict == "worse" and truth <= margin)
    )
