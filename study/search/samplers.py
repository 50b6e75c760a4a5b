"""The samplers of Optuna that a search may use, each as it is best used here."""

import warnings
from collections.abc import Callable

import optuna

from study.config.study_sections import SearchSection
from study.seeding import derive_seed

# They draw at random until so many trials have given them something to learn from.
NUM_STARTUP = {"tpe": 5, "gp": 10}
_LEARNED_FROM = {
    "tpe": (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED),
    "gp": (optuna.trial.TrialState.COMPLETE,),
}
# NSGA-II knows a trial by its generation, of which the first is drawn at random.
GENERATION = "NSGAIISampler:generation"


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    # Jointly over the paths that exist together, which differ between pruning schedules.
    return optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True, n_startup_trials=NUM_STARTUP["tpe"]
    )


def _random(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _gp(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=NUM_STARTUP["gp"])


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


def seeded_sampler(search: SearchSection, number: int) -> optuna.samplers.BaseSampler:
    """The study's sampler, seeded by the study's seed and by ``number``."""
    seed = derive_seed(search.seed, "sampler", number) % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return SAMPLERS[search.sampler](seed)


def learns_places(name: str) -> bool:
    """Whether the sampler asks for places that it has learned are good, and may insist on one."""
    return name in _LEARNED_FROM


def forgets(name: str) -> bool:
    """Whether the sampler learns from a part of the trials alone where there are many."""
    return name == "tpe"


def draws_at_random(name: str, study: optuna.Study, trial: optuna.Trial) -> bool:
    """Whether the sampler ``name`` draws the values of ``trial``, just asked for, at random.

    A grid's configurations are handed to Optuna: what it is asked for besides is random.
    """
    if name in _LEARNED_FROM:
        states = _LEARNED_FROM[name]
        return len(study.get_trials(deepcopy=False, states=states)) < NUM_STARTUP[name]
    if name == "nsga2":
        asked = study.get_trials(deepcopy=False)[trial.number]
        return bool(asked.system_attrs[GENERATION] == 0)
    return True
