"""Stopping what can no longer be as good as the best, whatever its next models are.

The service error of a trial is spent megabatch by megabatch: what its models have got wrong stays.
A trial is granted the lowest error rate that any trial of the search has shown, from its next
model on. Where even that leaves it more than ``objective.margin`` behind the best, it is stopped.
Nothing is extrapolated, so that trials of any T and any schedule are compared.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from study.config.arms import arm_name
from study.config.rules.search import judged_metric
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig, parse_trial
from study.constraints import allows_all
from study.results import MegabatchRecord
from study.search.feasibility import broken
from study.store.record import RecordedTrial
from study.trial.assembly import exact_density

Group = tuple[str, bool]


def least_service_error(
    projected: float,
    error: float,
    lowest: float,
    *,
    num_models: int,
    num_megabatches: int,
    service_after: float,
) -> float:
    """The least service error that a trial can still come to.

    The model in service stays until the next arrival, at the least; all later ones err as rarely
    as ``lowest``. See docs/method.md, section 2.

    Args:
        projected: Projected service error after megabatch k, in [0, 1].
        error: Error rate e_k of the model in service, in [0, 1].
        lowest: Error rate granted to every later model, in [0, 1].
        num_models: k, fewer than ``num_megabatches``.
        num_megabatches: T, and what arrives after the stream.
        service_after: h, units of time that the last model serves.
    """
    left = (num_megabatches - num_models - 1) / num_megabatches + service_after
    return projected - left * max(0.0, error - lowest) / (1 + service_after)


@dataclass
class _Known:
    """What the trials of a group have shown: (density, service error) of those at their end."""

    lowest: float = math.inf
    ended: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class _Running:
    """A trial that has not come to its end, and how far it is known."""

    trial: TrialConfig
    density: float | None
    group: Group
    num_seen: int = 0


class BoundStopping:
    """Stops a trial at the first megabatch after which it is out of reach of the best.

    Pruned trials are compared with pruned ones alone, dense with dense, within an arm. With
    densities among the objectives a trial is out of reach of those alone that end no denser.
    Points neither are stopped nor stop others: baselines say nothing of what is searched.

    Args:
        study: With a search whose first running objective is a service error.
    """

    def __init__(self, study: StudyConfig) -> None:
        metric = judged_metric(study.objective)
        assert study.search is not None
        assert metric is not None
        self._study = study
        self._projected = metric
        is_test = metric.startswith("test_")
        self._error = "test_error_rate" if is_test else "holdout_error_rate"
        self._has_size = len(study.objective.metrics) > 1
        self._min_trials = study.search.stopping.min_trials
        self._running: dict[str, _Running] = {}
        self._ended: set[str] = set()
        self._groups: dict[Group, _Known] = {}

    def stops(self, recorded: RecordedTrial, reported: Iterable[MegabatchRecord]) -> bool:
        """Whether the trial is to be stopped; one that has ended its stream or is a point never.

        A trial that is sure to break a constraint is stopped at its first megabatch.
        """
        if recorded.source != "search" or recorded.key in self._ended:
            return False
        running = self._running.get(recorded.key)
        if running is None:
            running = self._running[recorded.key] = self._begun(parse_trial(recorded.config))
        is_to_stop = False
        for megabatch in reported:
            if megabatch.megabatch_index >= running.num_seen:
                running.num_seen = megabatch.megabatch_index + 1
                is_to_stop = self._is_out_of_reach(running, megabatch)
                if megabatch.is_last:
                    self._ended.add(recorded.key)
                    self._running.pop(recorded.key, None)
        return is_to_stop

    def _begun(self, trial: TrialConfig) -> _Running:
        density = exact_density(trial)
        arm = arm_name(self._study.arm_of(trial.flat()) or {})
        return _Running(trial, density, (arm, density == 1.0))

    def _is_out_of_reach(self, running: _Running, megabatch: MegabatchRecord) -> bool:
        projected = megabatch.metrics.get(self._projected, math.nan)
        error = megabatch.metrics.get(self._error, math.nan)
        limits = self._study.objective.limits
        is_broken = bool(broken(running.trial, (megabatch,), limits)) if limits else False
        if not (math.isfinite(projected) and math.isfinite(error)):
            return is_broken and not megabatch.is_last
        known = self._groups.setdefault(running.group, _Known())
        known.lowest = min(known.lowest, error)
        if megabatch.is_last:
            if allows_all(limits, {**megabatch.metrics, **megabatch.summary}):
                density = running.density
                at_end = megabatch.metrics["density"] if density is None else density
                known.ended.append((at_end, projected))
            return False
        least = least_service_error(
            projected,
            error,
            known.lowest,
            num_models=megabatch.megabatch_index + 1,
            num_megabatches=running.trial.num_megabatches,
            service_after=self._study.objective.service_after,
        )
        return is_broken or (
            len(known.ended) >= self._min_trials
            and least > self._best(known, running.density) + self._study.objective.margin
        )

    def _best(self, known: _Known, density: float | None) -> float:
        """The least error of those that the trial has to come near, by its density at the end."""
        largest = math.inf
        if self._has_size:
            largest = -math.inf if density is None else density
        return min((error for size, error in known.ended if size <= largest), default=math.inf)
