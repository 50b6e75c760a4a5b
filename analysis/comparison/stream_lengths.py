"""Trials that differ in the number of megabatches alone."""

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.by_example import ExampleBasis, RunPair, example_values
from analysis.comparison.comparisons import in_cost, margin_of
from analysis.comparison.methods import data_keys, method_names
from analysis.runs.frames import KEY, STEP, T
from analysis.statistics import summary
from analysis.statistics.differences import MethodDifference
from analysis.statistics.multiple import Finding, holm, judge_differences
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
    has_lengths = trials.groupby(family)[T].transform("nunique") > 1
    named = method_names(trials)
    found = []
    for _, group in trials[has_lengths].groupby([family[has_lengths], T]):
        first = group.index[0]
        found.append(AtLength(str(named[first]), int(family[first]), int(group[T].iloc[0]), group))
    return found


@dataclass(frozen=True)
class _Measured:
    """A trial's metric, what it cost, and where its outcomes are."""

    value: float
    cost: float
    run_id: str
    data: str


@dataclass(frozen=True)
class Step:
    """From one T to the next: what it changes, and at how many times the cost."""

    start: int
    end: int
    result: MethodDifference
    examples: ExampleBasis
    finding: Finding
    cost: float


def steps(runs: "Runs", found: list[AtLength], metric: str, cost: str) -> list[Step]:
    """Differences in ``metric`` between successive T within pairs of one seed, judged together.

    Only steps with at least two pairs; ``cost`` is the mean ratio of a metric of both sides.
    """
    lengths = sorted({at.t for at in found})
    values = example_values(runs, metric)
    by_place = {(at.family, at.t): _by_seed(at.trials, metric, cost) for at in found}
    made: list[tuple[int, int, MethodDifference, ExampleBasis, float]] = []
    for start, end in itertools.pairwise(lengths):
        strata = []
        for family in sorted({at.family for at in found}):
            a, b = by_place.get((family, end), {}), by_place.get((family, start), {})
            both = [(a[key], b[key]) for key in a if key in b]
            known = [(x, y) for x, y in both if x.value == x.value and y.value == y.value]
            strata += [known] if known else []
        if sum(map(len, strata)) > 1:
            couples = [couple for own in strata for couple in own]
            ratios = [x.cost / y.cost for x, y in couples if y.cost and x.cost == x.cost]
            variance, basis = values.variance(
                [[RunPair(x.run_id, y.run_id, x.data) for x, y in own] for own in strata]
            )
            result = MethodDifference(
                tuple(tuple(x.value - y.value for x, y in own) for own in strata), variance
            )
            ratio = math.fsum(ratios) / len(ratios) if ratios else math.nan
            made.append((start, end, result, basis, ratio))
    findings, _ = judge_differences(
        [in_cost(result, metric) for _, _, result, _, _ in made],
        [margin_of(runs.study, metric)] * len(made),
    )
    return [
        Step(start, end, result, basis, finding, ratio)
        for (start, end, result, basis, ratio), finding in zip(made, findings, strict=True)
    ]


def _by_seed(trials: "pd.DataFrame", metric: str, cost: str) -> dict[str, _Measured]:
    """Seeds → what was measured with them; the first of trials that were run twice."""
    measured = map(
        _Measured,
        trials[metric].astype(float),
        trials[cost].astype(float),
        trials["run_id"].map(str),
        data_keys(trials).map(str),
    )
    made: dict[str, _Measured] = {}
    for key, one in zip(summary.seed_keys(trials), measured, strict=True):
        made.setdefault(key, one)
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
