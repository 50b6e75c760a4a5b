"""Trials that differ in the number of megabatches alone."""

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.methods import method_names
from analysis.runs.frames import KEY, STEP, T
from analysis.statistics import summary
from analysis.statistics.paired import PairedDifference, holm, paired_difference
from analysis.statistics.resampling import interquartile_mean
from analysis.statistics.turning import MIN_SEEDS, Turn, largest_turn

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs


@dataclass(frozen=True, eq=False)
class AtLength:
    """One configuration at one T.

    Attributes:
        arm: Its method.
        family: Number of the configuration, T apart.
        t: Its number of megabatches.
        trials: Its trials, one a seed.
    """

    arm: str
    family: int
    t: int
    trials: "pd.DataFrame"


def families(runs: "Runs") -> list[AtLength]:
    """Finished trials by configuration and T, for the configurations that ran at several T."""
    trials = runs.complete[runs.complete[T].notna()]
    if trials.empty:
        return []
    family = summary.configurations(trials, excluding=(T,))
    several = trials.groupby(family)[T].transform("nunique") > 1
    named = method_names(trials)
    found = []
    for _, group in trials[several].groupby([family[several], T]):
        first = group.index[0]
        found.append(AtLength(str(named[first]), int(family[first]), int(group[T].iloc[0]), group))
    return found


_Measured = tuple[float, float]  # a metric, and what it cost


@dataclass(frozen=True)
class Step:
    """From one T to the next: what it changes, and at how many times the cost."""

    start: int
    end: int
    result: PairedDifference
    p: float
    cost: float


def steps(found: list[AtLength], metric: str, cost: str) -> list[Step]:
    """Differences in ``metric`` between successive T within pairs of one seed, p by Holm.

    Only steps with at least two pairs; ``cost`` is the ratio of a metric's means.
    """
    lengths = sorted({at.t for at in found})
    by_place = {(at.family, at.t): _by_seed(at.trials, metric, cost) for at in found}
    made = []
    for start, end in itertools.pairwise(lengths):
        strata, ratios = [], []
        for family in sorted({at.family for at in found}):
            a, b = by_place.get((family, end)), by_place.get((family, start))
            if a is None or b is None:
                continue
            both = [(a[key], b[key]) for key in a if key in b]
            measured = [
                (x - y, p / q if q else math.nan) for (x, p), (y, q) in both if x == x and y == y
            ]
            if measured:
                strata.append([difference for difference, _ in measured])
                ratios += [ratio for _, ratio in measured if ratio == ratio]
        if sum(map(len, strata)) > 1:
            ratio = interquartile_mean(ratios) if ratios else float("nan")
            made.append((start, end, paired_difference(strata), ratio))
    adjusted = holm([result.p for _, _, result, _ in made])
    return [
        Step(start, end, result, p, ratio)
        for (start, end, result, ratio), p in zip(made, adjusted, strict=True)
    ]


def _by_seed(trials: "pd.DataFrame", metric: str, cost: str) -> dict[str, _Measured]:
    """Seeds → what was measured with them; the first of trials that were run twice."""
    measured = zip(trials[metric].astype(float), trials[cost].astype(float), strict=True)
    made: dict[str, _Measured] = {}
    for key, values in zip(summary.seed_keys(trials), measured, strict=True):
        made.setdefault(key, values)
    return made


def largest_turns(runs: "Runs", metric: str) -> "list[tuple[pd.DataFrame, Turn, float]]":
    """The largest turn along the stream of each configuration with seeds enough, p by Holm.

    Seeds whose curve has a gap are left out.
    """
    rows = runs.megabatches[[KEY, STEP, metric]].dropna()
    if rows.empty:
        return []
    curves = rows.pivot(index=KEY, columns=STEP, values=metric)
    trials = runs.complete[runs.complete[T].notna()]
    found = []
    number = summary.configurations(trials)
    enough = number.groupby(number).transform("size") >= MIN_SEEDS
    for _, group in trials[enough].groupby(number[enough]):
        length = int(group[T].iloc[0])
        own = curves.reindex(index=list(group[KEY]), columns=range(length)).dropna()
        turn = largest_turn(own.to_numpy().tolist()) if len(own) else None
        if turn is not None:
            found.append((group, turn))
    adjusted = holm([turn.p for _, turn in found])
    return [(group, turn, p) for (group, turn), p in zip(found, adjusted, strict=True)]
