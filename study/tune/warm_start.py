"""What a search hears of earlier studies: their trials of its own space, equal in all else."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from study.config.domains import Choices
from study.config.errors import ConfigError
from study.config.space import Dimension
from study.config.study import StudyConfig
from study.config.trial import flatten, parse_trial
from study.config.yaml_io import read_yaml, read_yaml_file
from study.results import Outcome, TrackedStudy, TrackedTrial, TrialHistory
from study.tracking import names
from study.tracking.tracker import Tracker
from study.tune.describe import as_param
from study.tune.errors import StudyError
from study.tune.record import Record, RecordedTrial
from study.tune.store import StudyFolder, StudyStore

# Outcomes that say something of a configuration.
_TELLING = (Outcome.COMPLETE, Outcome.EARLY_STOPPED)


@dataclass(frozen=True)
class EarlierTrial:
    """A trial of an earlier study, wherever that is known from.

    Attributes:
        key: Its identity, over everything but where the data lies.
        value_of: Its value of a searched path; None where it has none.
        outcome: None where it is running or was cut off.
    """

    key: str
    value_of: Callable[[Dimension], Any]
    outcome: Outcome | None
    history: TrialHistory


@dataclass(frozen=True)
class EarlierStudy:
    """A study that is heard of, and where it was found."""

    place: str
    service_after: float
    trials: tuple[EarlierTrial, ...]


def warm_start(
    study: StudyConfig, store: StudyStore, tracker: Tracker, record: Record
) -> list[str]:
    """Put what earlier studies found into the record, for the sampler alone; says how much.

    Raises:
        StudyError: A study is neither in the store nor tracked, or its record is damaged.
    """
    said = []
    heard: set[str] = set()
    for name in study.search.warm_start if study.search else ():
        earlier = find_earlier(name, study, store, tracker)
        told, left_out = earlier_trials(study, earlier)
        new = [prior for prior in told if prior.key not in heard]
        heard |= {prior.key for prior in new}
        for prior in new:
            record.add_prior(prior)
        reasons = "".join(f"; {count} left out: {why}" for why, count in left_out.items())
        said.append(
            f"The sampler hears of {len(new)} trials of the study {name}{earlier.place}{reasons}."
        )
    return said


def check_earlier(study: StudyConfig, store: StudyStore, tracker: Tracker) -> None:
    """Whether every study that is to be heard of is there.

    Raises:
        StudyError: One is neither in the store nor tracked, with those that the store has.
    """
    for name in study.search.warm_start if study.search else ():
        if not store.folder(name).exists and not tracker.has_study(name):
            raise _unknown(name, study, store, tracker)


def _unknown(name: str, study: StudyConfig, store: StudyStore, tracker: Tracker) -> StudyError:
    return StudyError(
        f"search.warm_start: {store.place.no_such_study(name)}, and none under the experiment "
        f"{study.tracking.experiment!r} in {tracker.address}"
    )


def find_earlier(
    name: str, study: StudyConfig, store: StudyStore, tracker: Tracker
) -> EarlierStudy:
    """A study from the store, or else from where ``study`` is tracked.

    Raises:
        StudyError: It is in neither, or its record or its file is damaged.
    """
    folder = store.folder(name)
    if folder.exists:
        return _recorded(folder)
    tracked = tracker.read_study(name)
    if tracked is None:
        raise _unknown(name, study, store, tracker)
    if not tracked.config_yaml:
        raise StudyError(
            f"search.warm_start: the study {name!r} has lost its {names.CONFIG_ARTIFACT} in "
            f"{tracker.address}, without which its errors cannot be compared; leave it out"
        )
    return _tracked(tracked, place=f" in {tracker.address}")


def _recorded(folder: StudyFolder) -> EarlierStudy:
    return EarlierStudy(
        "",
        _service_after(read_yaml_file(folder.config_path)),
        tuple(_recorded_trial(t) for t in Record.read(folder.record_path).trials.values()),
    )


def _recorded_trial(trial: RecordedTrial) -> EarlierTrial:
    own = parse_trial(trial.config)
    flat = flatten(own.to_dict())
    return EarlierTrial(own.key(), lambda d: flat.get(d.path), trial.outcome, trial.history)


def _tracked(study: TrackedStudy, *, place: str) -> EarlierStudy:
    service_after = _service_after(read_yaml(study.config_yaml))
    return EarlierStudy(place, service_after, tuple(map(_tracked_trial, study.trials)))


def _tracked_trial(trial: TrackedTrial) -> EarlierTrial:
    return EarlierTrial(
        trial.key, lambda d: _from_param(d, trial.params), trial.outcome, trial.history
    )


def _from_param(dimension: Dimension, params: Mapping[str, str]) -> Any:
    """A param's value as the domain has it; whether it is that to the last bit says the key."""
    text, domain = params.get(dimension.path, ""), dimension.domain
    if isinstance(domain, Choices):
        return next((v for v in domain.values if str(as_param(v)) == text), None)
    try:
        return int(text) if domain.is_integer else float(text)
    except ValueError:
        return None


def _service_after(raw: Mapping[str, Any]) -> float:
    return float(raw.get("objective", {}).get("service_after", 1.0))


def earlier_trials(
    study: StudyConfig, earlier: EarlierStudy
) -> tuple[list[RecordedTrial], Counter[str]]:
    """The trials of an earlier study that could be this study's, and why others could not.

    A trial is one of this study's if the values of the searched paths lie in the space and the
    configuration that they make is the trial's to the last value: data, model, budget, seed.
    Errors under another ``objective.service_after`` are other quantities.
    """
    told: list[RecordedTrial] = []
    left_out: Counter[str] = Counter()
    for trial in earlier.trials:
        if trial.outcome not in _TELLING:
            left_out["they failed or did not end"] += 1
        elif not trial.history.megabatches:
            left_out["their history is not to be found"] += 1
        elif earlier.service_after != study.objective.service_after:
            left_out["another objective.service_after"] += 1
        elif (prior := _as_prior(study, trial)) is None:
            left_out["outside the space, or another fixed configuration"] += 1
        else:
            told.append(prior)
    return told, left_out


def _as_prior(study: StudyConfig, trial: EarlierTrial) -> RecordedTrial | None:
    """The trial as one of this study's; None where it could not be."""
    chosen: dict[str, Any] = {}
    for dimension in study.space.dimensions:
        if dimension.is_active({**study.fixed, **chosen}):
            value = trial.value_of(dimension)
            if value not in dimension.domain:
                return None
            chosen[dimension.path] = value
    try:
        own = study.compose(chosen)
    except ConfigError:
        return None
    if own.key() != trial.key:
        return None
    return RecordedTrial(
        key=trial.key,
        number=-1,
        source="prior",
        chosen=chosen,
        config=own.to_dict(),
        history=trial.history,
        outcome=trial.outcome,
    )
