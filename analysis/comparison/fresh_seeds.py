"""The best trials of a search, confirmed with fresh seeds beside their baselines."""

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from analysis.comparison.by_example import RunPair, example_values
from analysis.comparison.comparisons import Comparison, budget_of_all
from analysis.comparison.dense_baseline import (
    DENSE,
    budgets,
    num_megabatches,
    training_differences,
)
from analysis.comparison.measure import measure_of
from analysis.comparison.methods import asked_weights, data_keys, equal_in_pairs
from analysis.runs.cache import cached
from analysis.statistics import summary
from analysis.statistics.differences import MethodDifference
from analysis.statistics.summary import Interval, mean_interval
from analysis.wording import size
from study.metrics import METRICS
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs


# Settings in which a baseline may differ from what it is compared with; dense in training alone.
_TUNED = (
    "training.",
    "pruning.criterion",
    "pruning.allocation",
    "pruning.granularity",
    "saliency.",
)


@dataclass(frozen=True, eq=False)
class Arm:
    """One configuration over its fresh seeds.

    Attributes:
        trials: Those that finished and have the metric; at least one.
        metric: What is compared.
        number: Of the search's trial that it confirms; None for a mere baseline.
        baseline_of: Numbers of the trials that it is a baseline of.
        searched: What the search had found for that trial; None where nobody knows.
        settings_of: Number of the search's trial in which a baseline was best and whose settings
            it has; None where it has those of what it is compared with.
    """

    trials: "pd.DataFrame"
    metric: str
    number: int | None
    baseline_of: tuple[int, ...]
    searched: float | None
    settings_of: int | None = None

    @property
    def first(self) -> "pd.Series":
        """One of its trials, for what they have in common."""
        return self.trials.iloc[0]

    @property
    def name(self) -> str:
        """``app, T = 8, trial 12``; a mere baseline has no trial."""
        made = f"{self.first['method']}, T = {num_megabatches(self.first)}"
        return made if self.number is None else f"{made}, trial {self.number}"

    @property
    def values(self) -> list[float]:
        """The metric with each seed."""
        return [float(value) for value in self.trials[self.metric]]

    @cached_property
    def mean(self) -> float:
        """Over the seeds."""
        return math.fsum(self.values) / len(self.values)

    @cached_property
    def interval(self) -> Interval | None:
        """Student's interval of the mean; None for a single seed, or where all are alike."""
        return mean_interval(self.values)

    @cached_property
    def optimism(self) -> MethodDifference | None:
        """How much worse it is than the search had found; None where that is unknown."""
        worse = self._worse()
        return MethodDifference((worse,)) if worse else None

    def _worse(self) -> tuple[float, ...]:
        if self.searched is None:
            return ()
        return tuple(METRICS[self.metric].cost(value - self.searched) for value in self.values)


@dataclass(frozen=True, eq=False)
class Confirmation:
    """What a confirming study says of one metric.

    Attributes:
        runs: The study.
        metric: What is compared.
        arms: The trials of the search first, in the order that they were chosen in.
        num_unequal: Pairs left out, since they were asked for another number of weights, or had
            neither equal examples nor equal FLOPs.
    """

    runs: "Runs"
    metric: str
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]
    num_unequal: int

    @property
    def chosen(self) -> list[Arm]:
        """The trials of the search."""
        return [arm for arm in self.arms if arm.number is not None]

    @cached_property
    def optimism(self) -> MethodDifference | None:
        """That of all trials of the search together."""
        known = [arm.optimism for arm in self.chosen if arm.optimism is not None]
        strata = tuple(stratum for optimism in known for stratum in optimism.strata)
        return MethodDifference(strata) if strata else None

    @property
    def varies_data(self) -> bool:
        """Whether the data was split afresh for each seed."""
        trials = self.runs.complete
        return "data.seed" in trials and trials["data.seed"].nunique() > 1


def confirming(runs: "Runs") -> "list[Runs]":
    """The studies that confirm ``runs``, or those that it is put together from, each once."""
    found = [part.confirmation for part in runs.parts or (runs,)]
    return list({part.study.name: part for part in found if part is not None}.values())


@cached
def confirmation(runs: "Runs", metric: str = "") -> Confirmation:
    """What a confirming study says.

    Args:
        runs: A study that confirms another.
        metric: What is compared; else what the trials were chosen by.
    """
    metric = metric or runs.study.params.get(names.PARAM_CONFIRMED_METRIC, "")
    if metric not in runs.trials:
        metric = measure_of(runs).service
    arms = _arms(runs, metric)
    comparisons, num_unequal = [], 0
    for arm in arms:
        for baseline in arms:
            if arm.number in baseline.baseline_of:
                made, unequal = _against(runs, arm, baseline)
                comparisons += made
                num_unequal += unequal
    return Confirmation(runs, metric, arms, tuple(comparisons), num_unequal)


def _arms(runs: "Runs", metric: str) -> tuple[Arm, ...]:
    trials = runs.complete[runs.complete[metric].notna()]
    made = []
    for _, group in trials.groupby(summary.configurations(trials)):
        first = group.iloc[0]
        number = int(first["confirmed_trial"]) if first["confirmed_trial"] else None
        baseline_of = tuple(int(n) for n in first["baseline_of"].split(",") if n)
        settings_of = int(first["settings_of"]) if first["settings_of"] else None
        found = searched(runs, number, metric)
        made.append(Arm(group, metric, number, baseline_of, found, settings_of))
    # By their first trial: as they were chosen, baselines behind.
    return tuple(arm for arm in made if arm.number is not None or arm.baseline_of)


def searched(runs: "Runs", number: int | None, metric: str) -> float | None:
    """What the search had found for its trial ``number``; None where nobody knows."""
    text = runs.study.params.get(f"{names.PARAM_SEARCHED}{number}.{metric}")
    return None if text is None else float(text)


def _against(runs: "Runs", arm: Arm, baseline: Arm) -> tuple[list[Comparison], int]:
    """The differences within pairs of one seed, if there are two; and how many are left out."""
    a, b = _by_seed(arm), _by_seed(baseline)
    both = a.merge(b, on="pair", suffixes=("", "_b")).sort_values("number", kind="stable")
    in_what = equal_in_pairs(both)
    is_equal = in_what.map(bool).astype(bool)
    if baseline.first["method"] != DENSE:
        is_equal &= both["kept"] == both["kept_b"]
    equal = both[is_equal]
    num_unequal = len(both) - len(equal)
    if len(equal) < 2:
        return [], num_unequal
    couples = equal[["run_id", "run_id_b", "data"]].itertuples(index=False, name=None)
    variance, basis = example_values(runs, arm.metric).variance(
        [[RunPair(*map(str, couple)) for couple in couples]]
    )
    method = str(baseline.first["method"])
    tuned = _TUNED if method != DENSE else _TUNED[:1]
    comparison = Comparison(
        a=arm.name,
        b=method,
        density=size(arm.trials["density"].mean()),
        architecture=str(arm.first["architecture"]),
        num_megabatches=num_megabatches(arm.first) or None,
        result=MethodDifference((tuple(equal["value"] - equal["value_b"]),), variance),
        examples=basis,
        differing=tuple(training_differences(arm.first, baseline.first, tuned)),
        equal_budget=budget_of_all(in_what[equal.index].tolist()),
    )
    return [comparison], num_unequal


def _by_seed(arm: Arm) -> "pd.DataFrame":
    trials = arm.trials
    frame = trials[["number", "run_id"]].assign(
        spent=budgets(trials),
        value=trials[arm.metric].astype(float),
        kept=asked_weights(trials),
        pair=summary.seed_keys(trials),
        data=data_keys(trials).map(str),
    )
    return frame.drop_duplicates("pair")


def of_other_metric(arm: Arm, runs: "Runs", metric: str) -> Arm | None:
    """The same arm by another metric; None where none of its trials has it."""
    if metric not in arm.trials or arm.trials[metric].isna().all():
        return None
    return dataclasses.replace(
        arm,
        trials=arm.trials[arm.trials[metric].notna()],
        metric=metric,
        searched=searched(runs, arm.number, metric),
    )
