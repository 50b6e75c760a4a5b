"""What to try next: an Optuna study in memory, made from the record."""

import json
import math
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from study.config.arms import SearchArm, belongs
from study.config.points import MAX_CELLS
from study.config.rules.search import judged_metric
from study.config.space import Choices, Dimension, Range
from study.config.study_config import StudyConfig
from study.metrics import METRICS
from study.results import Outcome
from study.search.feasibility import violations
from study.search.samplers import GENERATION, draws_at_random, make_sampler
from study.seeding import derive_seed
from study.store.record import Record, RecordedTrial
from study.tracking.names import PROPOSED_RANDOM

optuna.logging.set_verbosity(optuna.logging.WARNING)

_PROPOSED_BY = "proposed_by"


def distribution(domain: Range | Choices) -> optuna.distributions.BaseDistribution:
    """Optuna's form of a domain."""
    if isinstance(domain, Choices):
        return optuna.distributions.CategoricalDistribution(
            [_as_label(value) for value in domain.values]
        )
    if domain.is_integer:
        return optuna.distributions.IntDistribution(
            int(domain.low), int(domain.high), log=domain.log, step=int(domain.step or 1)
        )
    return optuna.distributions.FloatDistribution(
        domain.low, domain.high, log=domain.log, step=domain.step
    )


def _as_label(value: Any) -> str | int | float | bool | None:
    """A choice as Optuna can keep it: lists become JSON text."""
    return json.dumps(value) if isinstance(value, tuple) else value


def _suggest(trial: optuna.Trial, dimension: Dimension) -> Any:
    path, domain = dimension.path, dimension.domain
    if isinstance(domain, Choices):
        labels = [_as_label(value) for value in domain.values]
        return domain.values[labels.index(trial.suggest_categorical(path, labels))]
    if domain.is_integer:
        return trial.suggest_int(
            path, int(domain.low), int(domain.high), log=domain.log, step=int(domain.step or 1)
        )
    return trial.suggest_float(path, domain.low, domain.high, log=domain.log, step=domain.step)


def make_optuna_study(study: StudyConfig, *, num_recorded: int) -> optuna.Study:
    """An empty study in memory, its sampler seeded by the study's seed and its progress.

    ``num_recorded`` goes into the seed so that a resumed study does not propose its beginning
    again.
    """
    return optuna.create_study(
        directions=[METRICS[name].direction for name in study.objective.metrics],
        sampler=_sampler(study, num_recorded),
    )


def _sampler(study: StudyConfig, number: int) -> optuna.samplers.BaseSampler:
    assert study.search is not None
    seed = derive_seed(study.search.seed, "sampler", number) % 2**32
    return make_sampler(study.search.sampler, seed)


@dataclass(frozen=True)
class _OptunaResult:
    """A trial that has ended, as Optuna takes it."""

    state: optuna.trial.TrialState
    values: tuple[float, ...] | None
    intermediate: Mapping[int, float]  # percent of the stream → the running objective
    violations: Mapping[str, float]


class Proposals:
    """Asks Optuna for configurations and tells it their results.

    Args:
        study: With a search.
        record: Trials that are recorded already are known from the start, and so are those of
            earlier studies.
        arm: Of the study's arms, the one in which alone is searched. What is proposed there
            depends on how many proposals the arm has had and on how its trials ended, so that a
            resumed study goes on as if it had not been interrupted (``nsga2`` begins a new
            generation). Arms draw with the same seeds.
    """

    def __init__(
        self, study: StudyConfig, record: Record, *, arm: SearchArm | None = None
    ) -> None:
        assert study.search is not None
        self.study = study
        self.arm = arm
        self.optuna_study = make_optuna_study(study, num_recorded=len(record.trials))
        self._dimensions = [d for d in study.space.dimensions if d.path not in (arm or {})]
        self._num_asked = _num_asked(record, arm) if arm else 0
        self._judged = judged_metric(study.objective)
        self._limits = study.objective.limits
        self._grid = _untried_cells(study, record) if study.search.sampler == "grid" else None
        for prior in record.priors:
            self._add_recorded(prior, prior.chosen)
        for trial in record.trials.values():
            if trial.outcome is not None:
                self._add_recorded(trial, trial.chosen)
        for key, chosen in record.repeats:
            if record.trials[key].outcome is not None:
                self._add_recorded(record.trials[key], chosen)

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """A new proposal: Optuna's trial and the chosen values."""
        if self._grid:
            cell = self._grid.popleft()
            trial = self.enqueue(cell)
            assert trial is not None, "a cell of the grid lies in the space"
            trial.set_user_attr(_PROPOSED_BY, self._sampler)
            return trial, cell
        if self.arm:
            self.optuna_study.sampler = _sampler(self.study, self._num_asked)
            self._num_asked += 1
        trial, chosen = self._ask()
        is_random = draws_at_random(self._sampler, self.optuna_study, trial)
        trial.set_user_attr(_PROPOSED_BY, PROPOSED_RANDOM if is_random else self._sampler)
        return trial, chosen

    @property
    def _sampler(self) -> str:
        assert self.study.search is not None
        return self.study.search.sampler

    def _ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        trial = self.optuna_study.ask()
        chosen: dict[str, Any] = dict(self.arm or {})
        for dimension in self._dimensions:
            if dimension.is_active({**self.study.fixed, **chosen}):
                chosen[dimension.path] = _suggest(trial, dimension)
        return trial, chosen

    def enqueue(self, chosen: Mapping[str, Any]) -> optuna.Trial | None:
        """Optuna's trial for given values; None where they lie outside the space."""
        active = self.active(chosen)
        if active is None:
            return None
        self.optuna_study.enqueue_trial(
            {dimension.path: _as_label(chosen[dimension.path]) for dimension in active}
        )
        return self._ask()[0]

    def proposed_by(self, trial: optuna.Trial) -> str:
        """The sampler that chose a trial it was asked for; ``random`` where it drew."""
        return str(trial.user_attrs[_PROPOSED_BY])

    def tell(self, trial: optuna.Trial, recorded: RecordedTrial) -> None:
        """The result of a trial: a value only if it is complete and every objective a number."""
        result = self._result(recorded)
        for step, value in result.intermediate.items():
            trial.report(value, step)
        for name, violation in result.violations.items():
            trial.set_constraint(name, violation)
        self.optuna_study.tell(trial, result.values, state=result.state)

    def tell_substitute(self, trial: optuna.Trial, recorded: RecordedTrial) -> None:
        """The result of a trial near the one proposed, which was trained in its place."""
        asked = self.optuna_study.get_trials(deepcopy=False)[trial.number]
        generation = asked.system_attrs.get(GENERATION, 0)
        self.fail(trial)
        self._add_recorded(recorded, recorded.chosen, generation=generation)

    def fail(self, trial: optuna.Trial) -> None:
        """Close a trial that leads nowhere."""
        self.optuna_study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _result(self, recorded: RecordedTrial) -> _OptunaResult:
        values = recorded.values(self.study.objective.metrics)
        broken = violations(recorded, self._limits)
        if values is not None and all(math.isfinite(v) for v in values):
            return _OptunaResult(optuna.trial.TrialState.COMPLETE, values, {}, broken)
        if recorded.outcome is Outcome.EARLY_STOPPED:
            return _OptunaResult(
                optuna.trial.TrialState.PRUNED, None, self._running(recorded), broken
            )
        return _OptunaResult(optuna.trial.TrialState.FAIL, None, {}, {})

    def _running(self, recorded: RecordedTrial) -> dict[int, float]:
        """The running objective by percent of the stream; Optuna takes none with several."""
        if self._judged is None or len(self.study.objective.metrics) > 1:
            return {}
        return {
            round(100 * m.stream_fraction): m.metrics[self._judged]
            for m in recorded.history.megabatches
            if self._judged in m.metrics
        }

    def active(self, chosen: Mapping[str, Any]) -> list[Dimension] | None:
        """The searched paths that ``chosen`` gives a value to; None if it lies outside.

        Those of the arm are none of them: they are the same in each of its trials.
        """
        arm = self.arm or {}
        flat = {**self.study.fixed, **chosen}
        active = [d for d in self._dimensions if d.is_active(flat)]
        covered = {d.path for d in active} | set(arm)
        inside = belongs(chosen, arm) and all(
            d.path in chosen and chosen[d.path] in d.domain for d in active
        )
        return active if inside and set(chosen) == covered else None

    def _add_recorded(
        self, recorded: RecordedTrial, chosen: Mapping[str, Any], *, generation: int = 0
    ) -> None:
        active = self.active(chosen)
        if active is None:
            return
        result = self._result(recorded)
        values = result.values
        if result.intermediate:  # as Optuna does with a pruned trial
            values = (result.intermediate[max(result.intermediate)],)
            values = values if math.isfinite(values[0]) else None
        self.optuna_study.add_trial(
            optuna.trial.create_trial(
                state=result.state,
                values=values,
                params={d.path: _as_label(chosen[d.path]) for d in active},
                distributions={d.path: distribution(d.domain) for d in active},
                user_attrs={"trial_key": recorded.key},
                # What is recorded is the first generation, from which NSGA-II goes on.
                system_attrs={GENERATION: generation},
                intermediate_values=dict(result.intermediate),
                constraints=dict(result.violations),
            )
        )


def _num_asked(record: Record, arm: SearchArm) -> int:
    """How many proposals an arm has had, those that were answered from the record included."""
    proposed = [t.chosen for t in record.trials.values() if t.source == "search"]
    repeated = [chosen for _, chosen in record.repeats]
    return sum(belongs(chosen, arm) for chosen in (*proposed, *repeated))


def _untried_cells(study: StudyConfig, record: Record) -> deque[dict[str, Any]]:
    """The cells of a grid in the study's own random order, so that any part of it is fair."""
    assert study.search is not None
    tried = [dict(trial.chosen) for trial in record.trials.values()]
    cells = study.space.cells(study.fixed, limit=MAX_CELLS)
    random.Random(derive_seed(study.search.seed, "grid")).shuffle(cells)
    return deque(cell for cell in cells if cell not in tried)
