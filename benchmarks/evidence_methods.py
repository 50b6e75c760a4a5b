"""Differences between schedules over configurations, as reports compare methods, on the table."""

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.statistics.differences import (
    MethodDifference,
    example_variance,
    judge_differences,
)
from analysis.statistics.resampling import stratified_interval
from benchmarks.evidence_studies import Array, EvidenceTable

SEEDS, CONFIGURATIONS = 4, 6
BASELINE = "app"
OTHERS = ("cubic", "linear", "one_shot")


def method_rows(
    table: EvidenceTable, sizes: Sequence[int], num_studies: int
) -> Iterator[list[str]]:
    """A line a holdout size and schedule: its final error less that of APP.

    Each study draws six pairs of density and criterion and four seeds of each. False alarms are
    counted with the true difference taken away from every pair.
    """
    cells = _cells(table)
    for size in sizes:
        for other in OTHERS:
            rng = np.random.default_rng([size, OTHERS.index(other)])
            flags = [_study(table, cells[other], size, rng) for _ in range(num_studies)]
            yield [
                str(size),
                f"{other} − {BASELINE}",
                *(f"{s:.1%}" for s in np.mean(flags, axis=0)),
            ]


def _cells(table: EvidenceTable) -> dict[str, list[tuple[int, int]]]:
    """Of each schedule: its configurations with those of the baseline that differ in it alone."""
    place = {
        (*settings, density): number
        for number, (settings, density) in enumerate(
            zip(table.settings, table.densities, strict=True)
        )
    }
    return {
        other: [
            (number, place[BASELINE, *rest])
            for (schedule, *rest), number in place.items()
            if schedule == other and (BASELINE, *rest) in place
        ]
        for other in OTHERS
    }


def _study(
    table: EvidenceTable, cells: list[tuple[int, int]], size: int, rng: np.random.Generator
) -> list[bool]:
    """What held: interval, false alarm, not pooled, the old interval, the old one's alarm."""
    holdout = rng.choice(table.num_examples, size, replace=False)
    means = table.truth(holdout)[1].mean(axis=1)
    strata: list[Array] = []
    truths = []
    for cell in rng.choice(len(cells), min(CONFIGURATIONS, len(cells)), replace=False):
        a, b = cells[cell]
        seeds = rng.choice(table.num_seeds, SEEDS)
        sides = [table.losses(c, seeds, holdout).final for c in (a, b)]
        strata.append(sides[0] - sides[1])
        truths.append(means[a] - means[b])
    truth = float(np.mean(truths))
    by_pair = tuple(tuple(stratum.mean(axis=1).tolist()) for stratum in strata)
    examples = example_variance(strata)
    interval = MethodDifference(by_pair, examples).interval()
    centred = tuple(tuple(value - truth for value in stratum) for stratum in by_pair)
    finding = judge_differences([MethodDifference(centred, examples)])[0]
    old, old_centred = stratified_interval(by_pair), stratified_interval(centred)
    return [
        interval is not None and truth in interval,
        finding in ("lower", "higher"),
        judge_differences([MethodDifference(by_pair, examples)])[0] == "not_pooled",
        old is not None and truth in old,
        old_centred is not None and 0 not in old_centred,
    ]
