"""How many examples through SGD a search takes to its target, over seeds, against the control."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.config.study_config import StudyConfig
from study.errors import StudyError
from study.metrics import METRICS
from study.search.feasibility import may_win
from study.simulation.simulator import Ended, replay, searched_anew
from study.simulation.table import Table
from study.store.record import RecordedTrial
from study.text import count as count_of

CONTROL = {"sampler": "random", "stopping": {"name": "none"}}
TARGET_FRACTION = 0.01
MIN_TARGETS = 10
_MOST_TRIALS_PER_ROW = 100
_NUM_RESAMPLES = 4000


@dataclass(frozen=True)
class Target:
    """The table's best trials that keep the constraints, by the study's one objective."""

    study: StudyConfig
    value: float
    num_rows: int

    def is_met(self, trial: RecordedTrial) -> bool:
        """Whether a trial has ended as well as one of the table's best."""
        if not may_win(trial, self.study.objective.limits):
            return False
        return _cost(trial, self.study) <= self.value


def find_target(table: Table, study: StudyConfig) -> Target:
    """The best 1 % of the rows that keep the study's constraints, at least ten.

    One single best row would be a matter of luck: where it lies, and whether its neighbours are
    looked up.

    Raises:
        StudyError: No row keeps them, or the study has several objectives.
    """
    if len(study.objective.metrics) != 1:
        raise StudyError(
            "a target needs one objective; give it by --set 'objective.metrics=[service_error]', "
            "and limits by --set 'objective.constraints=[final_density <= 0.2]'"
        )
    limits = study.objective.limits
    values = sorted(_cost(row, study) for row in table.rows if may_win(row, limits))
    values = [value for value in values if math.isfinite(value)]
    if len(values) < MIN_TARGETS:
        recorded = count_of(len(values), "recorded trial")
        raise StudyError(
            f"{recorded} with a value of {study.objective.metrics[0]} keep the constraints, and "
            f"the best {MIN_TARGETS} are the target: there is nothing to find; record more "
            f"trials, or loosen objective.constraints"
        )
    count = max(MIN_TARGETS, math.ceil(TARGET_FRACTION * len(values)))
    return Target(study, values[count - 1], count)


def _cost(trial: RecordedTrial, study: StudyConfig) -> float:
    """The first objective such that lower is better; NaN where it has no value."""
    name = study.objective.metrics[0]
    found = trial.values((name,))
    return METRICS[name].cost(math.nan if found is None else found[0])


@dataclass(frozen=True)
class Searched:
    """One way of searching, over seeds.

    Attributes:
        samples: Examples through SGD to the target, one a seed; where it was not met, the whole
            budget.
        num_trials: Trials begun until then, one a seed.
        num_missed: Seeds without the target.
    """

    title: str
    samples: tuple[float, ...]
    num_trials: tuple[int, ...]
    num_missed: int

    @property
    def mean(self) -> float:
        """Mean examples over seeds."""
        return float(np.mean(self.samples))


def search_to_target(  # noqa: PLR0913  # all that a search depends on
    table: Table,
    target: Target,
    changes: Mapping[str, Any],
    *,
    num_seeds: int,
    budget: float | None = None,
    num_workers: int = 1,
    places: Callable[[int], Sequence[Mapping[str, Any]]] = lambda _: (),
) -> Searched:
    """Replay a search until its target with the seeds from 0 to ``num_seeds`` − 1.

    Args:
        table: What is known.
        target: What is looked for.
        changes: The search settings: ``sampler``, ``stopping``.
        num_seeds: Searches.
        budget: Examples through SGD after which a search has missed its target; by default as
            many as all trials of the table took.
        num_workers: Trials at once.
        places: From a seed to what earlier studies say is good, to be tried first.
    """
    most = budget or examples(table)
    samples, trials, missed = [], [], 0
    for seed in range(num_seeds):
        study = searched_anew(target.study, changes, seed=seed)
        ended = replay(
            table,
            study,
            max_trials=most_trials(table),
            max_samples=most,
            num_workers=num_workers,
            until=target.is_met,
            places=places(seed),
        )
        is_met = bool(ended) and target.is_met(ended[-1].trial)
        missed += not is_met
        samples.append(ended[-1].samples if is_met else max([most, *(e.samples for e in ended)]))
        trials.append(len(ended))
    return Searched(title_of(changes), tuple(samples), tuple(trials), missed)


def examples(table: Table) -> float:
    """Examples through SGD of all trials of a table together."""
    newest = (row.history.megabatches[-1] for row in table.rows if row.history.megabatches)
    return sum(megabatch.metrics["samples_seen"] for megabatch in newest)


def most_trials(table: Table) -> int:
    """More than any search takes: where trials fail at once, no examples are used up."""
    return _MOST_TRIALS_PER_ROW * len(table.rows)


def title_of(changes: Mapping[str, Any]) -> str:
    """``tpe, asha``."""
    return f"{changes['sampler']}, {changes['stopping']['name']}"


def ratio_interval(
    numerator: Sequence[float], denominator: Sequence[float], *, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile bootstrap of the ratio of two means over seeds."""
    rng = np.random.default_rng(seed)

    def means(values: Sequence[float]) -> Any:
        drawn = rng.integers(len(values), size=(_NUM_RESAMPLES, len(values)))
        return np.asarray(values)[drawn].mean(axis=1)

    low, high = np.percentile(means(numerator) / means(denominator), [2.5, 97.5])
    return float(low), float(high)


def best_so_far(ended: Sequence[Ended], study: StudyConfig) -> list[tuple[float, float]]:
    """(examples through SGD, best objective so far) whenever it improves; constraints count."""
    metric = METRICS[study.objective.metrics[0]]
    best, found = math.inf, []
    for end in ended:
        cost = _cost(end.trial, study)
        if may_win(end.trial, study.objective.limits) and cost < best:
            best = cost
            found.append((end.samples, metric.cost(cost)))  # its own inverse
    return found
