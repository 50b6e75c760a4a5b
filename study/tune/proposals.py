"""What to try next: an Optuna study in memory, made from the record, asked and told."""

import json
import math
import warnings
from collections.abc import Mapping
from typing import Any

import optuna

from study.config.space import Choices, Dimension, Range, Space
from study.config.study import StudyConfig
from study.metrics import METRICS
from study.results import Outcome
from study.seeding import derive_seed
from study.tune.record import Record, RecordedTrial

optuna.logging.set_verbosity(optuna.logging.WARNING)


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


def make_sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """The sampler called ``name``."""
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def make_optuna_study(study: StudyConfig, *, num_recorded: int) -> optuna.Study:
    """An empty study in memory, its sampler seeded by the study's seed and its progress.

    ``num_recorded`` goes into the seed so that a resumed study does not propose its beginning
    again.
    """
    assert study.search is not None
    seed = derive_seed(study.search.seed, "sampler", num_recorded) % 2**32
    return optuna.create_study(
        directions=[METRICS[name].direction for name in study.objective.metrics],
        sampler=make_sampler(study.search.sampler, seed),
    )


class Proposals:
    """Asks Optuna for configurations and tells it what became of them.

    Args:
        study: With a search.
        record: Trials that are recorded already are known from the start.
    """

    def __init__(self, study: StudyConfig, record: Record) -> None:
        self.study = study
        self.optuna_study = make_optuna_study(study, num_recorded=len(record.trials))
        for trial in record.trials.values():
            if trial.outcome is not None:
                self._add_recorded(trial, trial.chosen)
        for key, chosen in record.repeats:
            if record.trials[key].outcome is not None:
                self._add_recorded(record.trials[key], chosen)

    @property
    def _space(self) -> Space:
        return self.study.space

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """A new proposal: Optuna's trial and the chosen values."""
        trial = self.optuna_study.ask()
        chosen: dict[str, Any] = {}
        for dimension in self._space.dimensions:
            if dimension.is_active({**self.study.fixed, **chosen}):
                chosen[dimension.path] = _suggest(trial, dimension)
        return trial, chosen

    def enqueue(self, chosen: Mapping[str, Any]) -> optuna.Trial | None:
        """Optuna's trial for given values; None where they lie outside the space."""
        active = self._active(chosen)
        if active is None:
            return None
        self.optuna_study.enqueue_trial(
            {dimension.path: _as_label(chosen[dimension.path]) for dimension in active}
        )
        return self.ask()[0]

    def tell(self, trial: optuna.Trial, recorded: RecordedTrial) -> None:
        """What became of a trial: a value only if it is complete and every objective a number."""
        state, values = self._state(recorded)
        self.optuna_study.tell(trial, values, state=state)

    def fail(self, trial: optuna.Trial) -> None:
        """Close a trial that leads nowhere."""
        self.optuna_study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _state(
        self, recorded: RecordedTrial
    ) -> tuple[optuna.trial.TrialState, tuple[float, ...] | None]:
        values = recorded.values(self.study.objective.metrics)
        if values is not None and all(math.isfinite(v) for v in values):
            return optuna.trial.TrialState.COMPLETE, values
        if recorded.outcome is Outcome.EARLY_STOPPED:
            return optuna.trial.TrialState.PRUNED, None
        return optuna.trial.TrialState.FAIL, None

    def _active(self, chosen: Mapping[str, Any]) -> list[Dimension] | None:
        flat = {**self.study.fixed, **chosen}
        active = [d for d in self._space.dimensions if d.is_active(flat)]
        covered = {d.path for d in active}
        inside = all(d.path in chosen and chosen[d.path] in d.domain for d in active)
        return active if inside and set(chosen) == covered else None

    def _add_recorded(self, recorded: RecordedTrial, chosen: Mapping[str, Any]) -> None:
        active = self._active(chosen)
        if active is None:
            return
        state, values = self._state(recorded)
        self.optuna_study.add_trial(
            optuna.trial.create_trial(
                state=state,
                values=values,
                params={d.path: _as_label(chosen[d.path]) for d in active},
                distributions={d.path: distribution(d.domain) for d in active},
                user_attrs={"trial_key": recorded.key},
            )
        )
