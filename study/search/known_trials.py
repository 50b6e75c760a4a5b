"""The trials that a sampler learns from: all of some hundred, then the best and the latest."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState

from study.config.space import Dimension
from study.metrics import METRICS
from study.pareto import undominated
from study.search.distributions import as_label, distribution
from study.search.optuna_result import OptunaResult
from study.search.samplers import GENERATION

NUM_BEST = 100
NUM_LATEST = 200
# So many proposals more, and the best and the latest are chosen anew.
NUM_NEW = 100
MOST_KNOWN = NUM_BEST + NUM_LATEST + NUM_NEW

Label = str | int | float | bool | None


def labels(chosen: Mapping[str, Any], dimensions: Iterable[Dimension]) -> dict[str, Label]:
    """The values of these paths as Optuna keeps them."""
    return {d.path: as_label(chosen[d.path]) for d in dimensions}


@dataclass(eq=False)
class KnownTrial:
    """A trial that was proposed, or that the record has.

    Attributes:
        chosen: Dotted path → value.
        dimensions: The paths for which Optuna is asked.
        result: None while it runs.
        key: In the record, of a trial that has ended.
        generation: NSGA-II's.
        asked: Optuna's own while it runs.
    """

    chosen: Mapping[str, Any]
    dimensions: Sequence[Dimension]
    result: OptunaResult | None = None
    key: str = ""
    generation: int = 0
    asked: optuna.Trial | None = None

    @property
    def params(self) -> dict[str, Label]:
        """The values as Optuna keeps them."""
        return labels(self.chosen, self.dimensions)

    @property
    def running(self) -> optuna.Trial:
        """Optuna's trial, of one that runs."""
        assert self.asked is not None, "it runs"
        return self.asked

    def end(self, result: OptunaResult, key: str) -> None:
        """It runs no more."""
        self.result, self.key, self.asked = result, key, None

    def ended(self, result: OptunaResult) -> optuna.trial.FrozenTrial:
        """It as a trial of Optuna's, where Optuna was not asked for it."""
        return optuna.trial.create_trial(
            state=result.state,
            values=result.rebuilt_values,
            params=self.params,
            distributions={d.path: distribution(d.domain) for d in self.dimensions},
            user_attrs={"trial_key": self.key} if self.key else {},
            # What is recorded is the first generation, from which NSGA-II goes on.
            system_attrs={GENERATION: self.generation},
            intermediate_values=dict(result.intermediate),
            constraints=dict(result.violations),
        )


class KnownTrials:
    """The trials that a sampler learns from, in order of proposal.

    TPE's cost grows with each trial that it knows, while it learns little from the old ones that
    were not good: it models the good ones (a tenth) as they are and weights the others down with
    age. From the :data:`MOST_KNOWN`-th proposal on, and then after each :data:`NUM_NEW`, it keeps
    the latest :data:`NUM_LATEST`, the best :data:`NUM_BEST` of those before, and what still runs.

    Which these are is the same whether they are chosen while a study goes on or when it is
    resumed, provided that no more than :data:`NUM_LATEST` run at once.

    Args:
        metrics: The objectives.
        keeps_all: Nothing is ever left out.

    Attributes:
        num_added: How many there were in all.
    """

    def __init__(self, metrics: Sequence[str], *, keeps_all: bool) -> None:
        self._costs = [METRICS[name].cost for name in metrics]
        self._trials: list[KnownTrial] = []
        self._room = math.inf if keeps_all else MOST_KNOWN
        self.num_added = 0

    def __iter__(self) -> Iterator[KnownTrial]:
        return iter(self._trials)

    def add(self, trial: KnownTrial) -> KnownTrial:
        """One more; :meth:`make_room` comes first."""
        self._trials.append(trial)
        self._room -= 1
        self.num_added += 1
        return trial

    def remove(self, trial: KnownTrial) -> None:
        """One that led nowhere is as if it had not been."""
        self._trials.remove(trial)
        self._room += 1
        self.num_added -= 1

    def make_room(self) -> bool:
        """Before one more is proposed; whether any was left out."""
        if self._room > 0:
            return False
        self._room = NUM_NEW
        older, latest = self._trials[:-NUM_LATEST], self._trials[-NUM_LATEST:]
        best = set(self._best(older))
        older = [trial for trial in older if trial.result is None or trial in best]
        self._trials = [*older, *latest]
        return True

    def _best(self, trials: Sequence[KnownTrial]) -> list[KnownTrial]:
        """Up to :data:`NUM_BEST` of those that ended, in the order in which TPE ranks them.

        First complete trials that keep the constraints, front by front, then those stopped late,
        then those that break constraints least.
        """
        ended = [(t, t.result) for t in trials if t.result and t.result.state != TrialState.FAIL]
        costs = {
            trial: tuple(cost(v) for cost, v in zip(self._costs, result.values, strict=True))
            for trial, result in ended
            if result.values is not None and not _violation(result)
        }
        best: list[KnownTrial] = []
        while costs and len(best) < NUM_BEST:
            on_front = undominated(costs.values())
            front = [trial for trial, is_on in zip(costs, on_front, strict=True) if is_on]
            front.sort(key=costs.__getitem__)
            best += _spread(front, NUM_BEST - len(best))
            for trial in front:
                del costs[trial]
        known = set(best)
        others = [(trial, result) for trial, result in ended if trial not in known]
        others.sort(key=lambda other: self._rank(other[1]))
        return best + [trial for trial, _ in others[: NUM_BEST - len(best)]]

    def _rank(self, result: OptunaResult) -> tuple[float, int, float]:
        """Of a trial that is not complete, or that breaks a constraint; lower is better."""
        step = max(result.intermediate, default=-1)
        cost = self._costs[0](result.intermediate[step]) if result.intermediate else 0.0
        return _violation(result), -step, math.inf if math.isnan(cost) else cost


def _violation(result: OptunaResult) -> float:
    """By how much constraints are broken, all together."""
    return sum(max(0.0, by) for by in result.violations.values())


def _spread(ordered: Sequence[KnownTrial], most: int) -> list[KnownTrial]:
    """At most so many of them, evenly along their order, both ends included."""
    if len(ordered) <= most:
        return list(ordered)
    last = len(ordered) - 1
    return [ordered[round(i * last / max(1, most - 1))] for i in range(most)]
