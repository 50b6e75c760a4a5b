"""Which trials are stopped before their stream ends: the decision, without Ray's machinery.

A study's trial scheduler and the replay of a recorded study both ask here. ``bound`` has a module
of its own, :mod:`study.search.bound`. By Tune's rules trials are compared at equal fractions of
the stream and within a group: equal T and as many arrivals after it, since the same fraction costs
more and brings more the shorter the megabatches are; the same arm, where a search has arms; and,
where size is an objective or limited, a like density at the end, since dense trials are ahead on
error whatever they are worth.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule, TrialScheduler

from study.config.arms import arm_name
from study.config.rules.search import judged_metric, stopping_name
from study.config.study_config import StudyConfig
from study.config.study_sections import StoppingSection
from study.config.trial import TrialConfig, parse_trial
from study.constraints import allows_all
from study.results import MegabatchRecord
from study.savings import rungs
from study.search.bound import BoundStopping
from study.search.feasibility import broken
from study.store.record import RecordedTrial
from study.trial.assembly import known_density

Group = tuple[str, int, int, int | bool | None]
_PERCENT = "percent_of_stream"
_VALUE = "running_objective"


class Stopping(Protocol):
    """Says when to stop a trial."""

    def stops(self, recorded: RecordedTrial, reported: Iterable[MegabatchRecord]) -> bool:
        """Whether the trial is to be stopped, given what it has reported.

        Megabatches that are known already are passed over.
        """


class NeverStopping:
    """Every trial comes to its end."""

    def stops(self, recorded: RecordedTrial, reported: Iterable[MegabatchRecord]) -> bool:  # noqa: ARG002  # the protocol's
        """Never."""
        return False


def make_stopping(study: StudyConfig, recorded: Iterable[RecordedTrial] = ()) -> Stopping:
    """How the study stops its trials, knowing what ``recorded`` trials have reported."""
    search = study.search
    name = "none" if search is None else stopping_name(search, study.objective)
    metric = judged_metric(study.objective)
    if search is None or name == "none" or metric is None:
        return NeverStopping()
    stopping: Stopping
    if name == "bound":
        stopping = BoundStopping(study)
    else:
        stopping = StreamStopping(study, search.stopping, name=name, metric=metric)
    for trial in recorded:
        stopping.stops(trial, trial.history.megabatches)
    return stopping


@dataclass(eq=False)
class _RunningTrial:
    """A trial as Tune's schedulers see one."""

    trial_id: str
    group: Group
    percent: float = 0.0  # of its stream that is known


class _ComparisonGroup(Protocol):
    """The trials that are compared with each other."""

    def is_behind(self, running: _RunningTrial, value: float) -> bool:
        """Whether a trial that has come to ``running.percent`` with ``value`` is to stop."""


class _Asha:
    """Tune's asynchronous successive halving over percents of the stream."""

    def __init__(self, section: StoppingSection) -> None:
        self._rungs = rungs(100 * section.first_rung, section.reduction, end=100)
        self._min_trials = section.min_trials
        self._arrived: dict[float, set[str]] = {rung: set() for rung in self._rungs}
        # Any: it takes any object with a trial_id, any numbers, and no controller.
        asha: Any = AsyncHyperBandScheduler
        self._scheduler = asha(
            time_attr=_PERCENT,
            metric=_VALUE,
            mode="min",
            max_t=100,
            grace_period=self._rungs[0],
            reduction_factor=section.reduction,
            stop_last_trials=False,  # else a trial is compared anew between two rungs
        )
        self._added: set[str] = set()

    def is_behind(self, running: _RunningTrial, value: float) -> bool:
        """Whether it is not among the best of those that came to the same rung before."""
        rung = max((r for r in self._rungs if r <= running.percent), default=None)
        if rung is None or running.trial_id in self._arrived[rung]:
            return False
        if running.trial_id not in self._added:
            self._added.add(running.trial_id)
            self._scheduler.on_trial_add(None, running)
        num_before = len(self._arrived[rung])
        self._arrived[rung].add(running.trial_id)
        result = {_PERCENT: running.percent, _VALUE: value}
        verdict = self._scheduler.on_trial_result(None, running, result)
        # Tune would stop the second trial for being worse than the first.
        return bool(verdict == TrialScheduler.STOP and num_before >= self._min_trials)


class _Median:
    """Tune's median rule over percents of the stream."""

    def __init__(self, section: StoppingSection) -> None:
        median: Any = MedianStoppingRule
        self._scheduler = median(
            time_attr=_PERCENT,
            metric=_VALUE,
            mode="min",
            grace_period=100 * section.first_rung,
            min_samples_required=section.min_trials,
            min_time_slice=math.inf,  # never gives way to others: PAUSE means stop
            hard_stop=False,  # else it takes no more results of a point that it would have stopped
        )

    def is_behind(self, running: _RunningTrial, value: float) -> bool:
        """Whether its best is worse than the median of the others' means so far."""
        result = {_PERCENT: running.percent, _VALUE: value}
        verdict = self._scheduler.on_trial_result(None, running, result)
        return bool(verdict == TrialScheduler.PAUSE)


_RULES: dict[str, Callable[[StoppingSection], _ComparisonGroup]] = {
    "asha": _Asha,
    "median": _Median,
}


class StreamStopping:
    """Stops trials by Ray Tune's ASHA or median rule, one instance for each group.

    Args:
        study: With a search.
        section: Its ``search.stopping``.
        name: ``asha`` or ``median``.
        metric: The running objective, lower is better, by which trials are compared.
    """

    def __init__(
        self, study: StudyConfig, section: StoppingSection, *, name: str, metric: str
    ) -> None:
        self._section = section
        self._make_group = _RULES[name]
        self._metric = metric
        self._arm_of = study.arm_of
        self._limits = study.objective.limits
        self._limits_of_size = tuple(c for c in self._limits if c.metric == "final_density")
        self._has_size = len(study.objective.metrics) > 1
        self._running_trials: dict[str, _RunningTrial] = {}
        self._groups: dict[Group, _ComparisonGroup] = {}

    def stops(self, recorded: RecordedTrial, reported: Iterable[MegabatchRecord]) -> bool:
        """Whether the trial is to be stopped; one that has ended its stream or is a point never.

        A trial that is sure to break a constraint is stopped at its first megabatch.
        """
        running = self._running_trials.get(recorded.key)
        if running is None:
            group = self._group(parse_trial(recorded.config))
            running = self._running_trials[recorded.key] = _RunningTrial(recorded.key, group)
        is_to_stop = False
        for megabatch in reported:
            percent = round(100 * megabatch.stream_fraction, 9)
            if percent <= running.percent:
                continue
            running.percent = percent
            if megabatch.is_last:
                return False
            is_sure = self._is_infeasible(recorded, megabatch)
            is_to_stop = self._is_behind(running, megabatch) or is_sure
        return is_to_stop and recorded.source == "search"

    def _group(self, trial: TrialConfig) -> Group:
        """Arm, T, T with arrivals, and the band of density (two-fold) or the side of the limit."""
        density = known_density(trial)
        band: int | bool | None = None
        if density is not None and self._has_size:
            band = math.floor(-math.log2(density) + 1e-9)
        elif self._limits_of_size:
            band = density is None or allows_all(self._limits_of_size, {"final_density": density})
        arm = arm_name(self._arm_of(trial.flat()) or {})
        return arm, trial.stream.num_megabatches, trial.num_megabatches, band

    def _is_infeasible(self, recorded: RecordedTrial, megabatch: MegabatchRecord) -> bool:
        if not self._limits:
            return False
        return bool(broken(parse_trial(recorded.config), (megabatch,), self._limits))

    def _is_behind(self, running: _RunningTrial, megabatch: MegabatchRecord) -> bool:
        value = megabatch.metrics.get(self._metric, math.nan)
        if not math.isfinite(value):
            return False
        if running.group not in self._groups:
            self._groups[running.group] = self._make_group(self._section)
        return self._groups[running.group].is_behind(running, value)
