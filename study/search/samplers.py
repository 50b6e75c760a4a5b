"""The samplers of Optuna that a search may use, each as it is best used here."""

import warnings
from collections.abc import Callable

import optuna


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    # Jointly over the paths that exist together, which differ between pruning schedules.
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def _random(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _gp(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(seed=seed)


def _nsga2(seed: int) -> optuna.samplers.BaseSampler:
    # Optuna's default population of 50 is a whole budget here, drawn at random.
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=20)


# A grid hands each of its configurations to Optuna as it comes: nothing is left to draw.
SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    "grid": _random,
    "gp": _gp,
    "nsga2": _nsga2,
}


def make_sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """The sampler called ``search.sampler: name``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return SAMPLERS[name](seed)
