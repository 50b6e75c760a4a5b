"""What a search hears of earlier studies: their trials of its own space, equal in all else."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

from study.config.errors import ConfigError
from study.config.study import StudyConfig
from study.config.trial import flatten, parse_trial
from study.config.yaml_io import read_yaml_file
from study.results import Outcome
from study.tune.record import Record, RecordedTrial
from study.tune.store import StudyStore

# Outcomes that say something of a configuration.
_TELLING = (Outcome.COMPLETE, Outcome.EARLY_STOPPED)


def check_earlier(study: StudyConfig, store: StudyStore) -> None:
    """Whether every study that is to be heard of is there.

    Raises:
        StudyError: One is not, with those there are.
    """
    for name in study.search.warm_start if study.search else ():
        store.existing(name)


def warm_start(study: StudyConfig, store: StudyStore, record: Record) -> list[str]:
    """Put what earlier studies found into the record, for the sampler alone; says how much.

    Raises:
        StudyError: A study is not in the store, or its record is damaged.
    """
    said = []
    heard: set[str] = set()
    for name in study.search.warm_start if study.search else ():
        folder = store.existing(name)
        told, left_out = earlier_trials(
            study,
            Record.read(folder.record_path),
            service_after=_service_after(read_yaml_file(folder.config_path)),
        )
        new = [prior for prior in told if prior.key not in heard]
        heard |= {prior.key for prior in new}
        for prior in new:
            record.add_prior(prior)
        reasons = "".join(f"; {count} left out: {why}" for why, count in left_out.items())
        said.append(f"The sampler hears of {len(new)} trials of the study {name}{reasons}.")
    return said


def _service_after(raw: Mapping[str, Any]) -> float:
    return float(raw.get("objective", {}).get("service_after", 1.0))


def earlier_trials(
    study: StudyConfig, earlier: Record, *, service_after: float
) -> tuple[list[RecordedTrial], Counter[str]]:
    """The trials of an earlier record that could be this study's, and why others could not.

    A trial is one of this study's if the values of the searched paths lie in the space and the
    configuration that they make is the trial's to the last value: data, model, budget, seed.

    Args:
        study: With a search.
        earlier: The other study's record.
        service_after: The other study's ``objective.service_after``: errors under another are
            other quantities.
    """
    told: list[RecordedTrial] = []
    left_out: Counter[str] = Counter()
    for trial in earlier.trials.values():
        if trial.outcome not in _TELLING:
            left_out["they failed or did not end"] += 1
        elif service_after != study.objective.service_after:
            left_out["another objective.service_after"] += 1
        elif (chosen := _chosen(study, trial)) is None:
            left_out["outside the space, or another fixed configuration"] += 1
        else:
            told.append(dataclasses.replace(trial, chosen=chosen, source="prior"))
    return told, left_out


def _chosen(study: StudyConfig, trial: RecordedTrial) -> dict[str, Any] | None:
    """The trial's values of the searched paths; None where it could not be this study's."""
    own = parse_trial(trial.config)
    flat = flatten(own.to_dict())
    chosen: dict[str, Any] = {}
    for dimension in study.space.dimensions:
        if dimension.is_active({**study.fixed, **chosen}):
            value = flat.get(dimension.path)
            if value not in dimension.domain:
                return None
            chosen[dimension.path] = value
    try:
        is_equal = study.compose(chosen).key() == own.key()
    except ConfigError:
        return None
    return chosen if is_equal else None
