"""A searched path as Optuna knows one."""

import json
from typing import Any

import optuna

from study.config.space import Choices, Dimension, Range


def distribution(domain: Range | Choices) -> optuna.distributions.BaseDistribution:
    """Optuna's form of a domain."""
    if isinstance(domain, Choices):
        return optuna.distributions.CategoricalDistribution(
            [as_label(value) for value in domain.values]
        )
    if domain.is_integer:
        return optuna.distributions.IntDistribution(
            int(domain.low), int(domain.high), log=domain.log, step=int(domain.step or 1)
        )
    return optuna.distributions.FloatDistribution(
        domain.low, domain.high, log=domain.log, step=domain.step
    )


def as_label(value: Any) -> str | int | float | bool | None:
    """A choice as Optuna can keep it: lists become JSON text."""
    return json.dumps(value) if isinstance(value, tuple) else value


def suggest(trial: optuna.Trial, dimension: Dimension) -> Any:
    """The value that Optuna's trial has for a path."""
    path, domain = dimension.path, dimension.domain
    if isinstance(domain, Choices):
        labels = [as_label(value) for value in domain.values]
        return domain.values[labels.index(trial.suggest_categorical(path, labels))]
    if domain.is_integer:
        return trial.suggest_int(
            path, int(domain.low), int(domain.high), log=domain.log, step=int(domain.step or 1)
        )
    return trial.suggest_float(path, domain.low, domain.high, log=domain.log, step=domain.step)
