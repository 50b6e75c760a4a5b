"""What it took to train pruned networks, where that is not what dense took on equal examples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import Row, budgets
from analysis.comparison.matches import Match
from analysis.runs.frames import KEY, STEP, T
from analysis.statistics.summary import Interval, mean_interval
from study.comparisons import equal_in

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


@dataclass(frozen=True)
class Taken:
    """What trainings took of one thing, each beside its dense one's, in its unit.

    Attributes:
        ours: Of the pruned trials, at least one.
        dense: Of the dense ones, above 0, in the same order.
    """

    ours: tuple[float, ...]
    dense: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Each training's share of its dense one's."""
        return [a / b for a, b in zip(self.ours, self.dense, strict=True)]

    @property
    def ratio(self) -> float:
        """The mean of the shares."""
        return _mean(self.ratios)

    @property
    def interval(self) -> Interval | None:
        """Student's 95 % interval of it, above 0; None for a single seed."""
        found = mean_interval(self.ratios)
        return Interval(max(0.0, found.low), found.high) if found else None

    @property
    def means(self) -> tuple[float, float]:
        """The mean of the pruned ones, and of the dense ones."""
        return _mean(self.ours), _mean(self.dense)


@dataclass(frozen=True)
class TrainingCost:
    """What the training of a configuration took.

    Attributes:
        trial: Its first.
        configuration: Its number, as in :class:`Match`.
        density: Fraction of the weights that its last networks keep, the mean over seeds.
        flops: True training FLOPs, scoring included.
        seconds: Wall time of all megabatches; None where it is not known of each.
    """

    trial: Row
    configuration: int
    density: float
    flops: Taken
    seconds: Taken | None

    @property
    def num_seeds(self) -> int:
        """Over how many seeds it is the mean."""
        return len(self.flops.ours)


def training_costs(runs: "Runs", found: Sequence[Match]) -> list[TrainingCost]:
    """By configuration, the cheapest in FLOPs first.

    Those alone that had as many examples as their dense trial and another number of FLOPs, as
    networks have that get smaller while they learn.

    Args:
        runs: The study.
        found: Of its trials.
    """
    spent = dict(zip(runs.trials[KEY], budgets(runs.trials), strict=True))
    seconds = _wall_times(runs)
    groups: dict[int, list[Match]] = {}
    for match in found:
        ours, dense = (spent[trial[KEY]] for trial in (match.trial, match.baseline.trial))
        known = math.isfinite(ours.flops) and dense.flops > 0
        if known and equal_in(ours, dense) == {"examples"}:
            groups.setdefault(match.configuration, []).append(match)
    made = [_cost(own, seconds) for own in groups.values()]
    return sorted(made, key=lambda cost: (cost.flops.ratio, cost.trial["number"]))


def _wall_times(runs: "Runs") -> dict[str, float]:
    """Trial key → seconds of all its megabatches, where each is known."""
    timed = runs.megabatches[[KEY, STEP, "seconds"]].dropna().groupby(KEY)["seconds"]
    totals = dict(zip(runs.trials[KEY], runs.trials[T], strict=True))
    return {
        str(key): float(seconds.sum())
        for key, seconds in timed
        if len(seconds) == totals.get(key) and seconds.sum() > 0
    }


def _cost(own: Sequence[Match], seconds: dict[str, float]) -> TrainingCost:
    pairs = [(match.trial, match.baseline.trial) for match in own]
    times = [(seconds.get(ours[KEY]), seconds.get(dense[KEY])) for ours, dense in pairs]
    known = [(a, b) for a, b in times if a is not None and b is not None]
    return TrainingCost(
        trial=own[0].trial,
        configuration=own[0].configuration,
        density=_mean([float(ours["final_density"]) for ours, _ in pairs]),
        flops=Taken(
            tuple(float(ours["train_flops"]) for ours, _ in pairs),
            tuple(float(dense["train_flops"]) for _, dense in pairs),
        ),
        seconds=(
            Taken(tuple(a for a, _ in known), tuple(b for _, b in known))
            if len(known) == len(pairs)
            else None
        ),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
