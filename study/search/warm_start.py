"""Warm starts: what earlier studies know, as a search's own trials or as places to try first."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from study.config.domains import Choices
from study.config.problems import ConfigError
from study.config.space import Dimension
from study.config.study_config import StudyConfig
from study.config.trial import flatten, parse_trial
from study.config.yaml_io import read_yaml, read_yaml_file
from study.errors import StudyError
from study.metrics import METRICS, Metric
from study.results import ENDED_BY_THEMSELVES, Outcome, TrialHistory
from study.search.explored import Explored
from study.search.feasibility import broken
from study.store.folder import StudyFolder, StudyStore
from study.store.record import Record, RecordedTrial
from study.text import count
from study.tracking import names
from study.tracking.facts import TrackedStudy, TrackedTrial
from study.tracking.tracker import Tracker
from study.trial.description import as_param


@dataclass(frozen=True)
class EarlierTrial:
    """A trial of an earlier study, wherever that is known from.

    Attributes:
        key: Its identity, over everything but where the data lies.
        value_of: Its value of a searched path; None where it has none.
        outcome: None where it is running or was interrupted.
    """

    key: str
    value_of: Callable[[Dimension], Any]
    outcome: Outcome | None
    history: TrialHistory


@dataclass(frozen=True)
class EarlierStudy:
    """A study to transfer trials from; ``title`` has its place, where that is not the store."""

    title: str
    service_after: float
    trials: tuple[EarlierTrial, ...]


def read_transferred_trials(
    study: StudyConfig, store: StudyStore, tracker: Tracker
) -> tuple[EarlierStudy, ...]:
    """The studies that ``search.warm_start`` names: from the store, or else from the tracker.

    To be called before anything of the study is written, so that what is wrong with them
    leaves nothing behind.

    Raises:
        StudyError: One is in neither, or its record or its file is damaged.
    """
    names_asked = study.search.warm_start if study.search else ()
    return tuple(_find(name, study, store, tracker) for name in names_asked)


def _find(name: str, study: StudyConfig, store: StudyStore, tracker: Tracker) -> EarlierStudy:
    folder = store.folder(name)
    if folder.exists:
        return _recorded(folder)
    tracked = tracker.read_study(name)
    if tracked is None:
        raise StudyError(
            f"search.warm_start: {store.place.no_such_study(name)}, and none under the experiment "
            f"{study.tracking.experiment!r} in {tracker.address}"
        )
    if not tracked.config_yaml:
        raise StudyError(
            f"search.warm_start: the study {name!r} has lost its {names.CONFIG_ARTIFACT} in "
            f"{tracker.address}, without which its errors cannot be compared; leave it out"
        )
    return _tracked(tracked, title=f"{name} in {tracker.address}")


def warm_start(study: StudyConfig, earlier: Iterable[EarlierStudy], record: Record) -> list[str]:
    """Record what earlier studies know, for the sampler alone.

    Trials that could be this study's own are transferred. Of a study that has none the best
    places of the space are recorded, to be tried first.

    Returns:
        A notice for each study: how many trials, why others were left out, and which places.
    """
    notices = []
    transferred: set[str] = set()
    for other in earlier:
        found, left_out = transferred_trials(study, other)
        new = [prior for prior in found if prior.key not in transferred]
        transferred |= {prior.key for prior in new}
        for prior in new:
            record.add_prior(prior)
        reasons = "".join(f"; {number} left out: {why}" for why, number in left_out.items())
        places = [] if found else good_places(study, other)
        for chosen in places:
            if chosen not in record.places:
                record.add_place(chosen)
        first = f"; its best {count(len(places), 'place')} will be tried first" if places else ""
        notices.append(
            f"Warm start: {count(len(new), 'trial')} transferred from the study "
            f"{other.title}{reasons}{first}."
        )
    return notices


def good_places(study: StudyConfig, earlier: EarlierStudy) -> list[dict[str, Any]]:
    """The values of the searched paths with which an earlier study was at its best.

    At most ``search.warm_start_top``, by the first objective, none beside another (see
    :class:`~study.search.explored.Explored`). The earlier study may have had other data, another
    network or another budget; what lies outside the space, or is certain to break a constraint,
    is passed over.
    """
    assert study.search is not None
    metric = METRICS[study.objective.metrics[0]]
    explored = Explored(study.space.dimensions)
    places: list[dict[str, Any]] = []
    for trial in sorted(earlier.trials, key=lambda trial: _cost(trial, metric)):
        if len(places) == study.search.warm_start_top or math.isinf(_cost(trial, metric)):
            break
        chosen = _chosen(study, trial)
        if chosen is None or chosen in places or explored.is_near(chosen):
            continue
        if not broken(study.compose(chosen), (), study.objective.limits):
            explored.add(chosen)
            places.append(chosen)
    return places


def _cost(trial: EarlierTrial, metric: Metric) -> float:
    """Lower is better; infinite where the trial is not complete."""
    if trial.outcome is not Outcome.COMPLETE or not trial.history.megabatches:
        return math.inf
    newest = trial.history.megabatches[-1]
    value = {**newest.metrics, **newest.summary}.get(metric.name, math.nan)
    return math.inf if math.isnan(value) else metric.cost(value)


def _recorded(folder: StudyFolder) -> EarlierStudy:
    service_after = _service_after(read_yaml_file(folder.config_path))
    trials = Record.read(folder.record_path).trials.values()
    return earlier_study(folder.name, trials, service_after=service_after)


def earlier_study(
    title: str, trials: Iterable[RecordedTrial], *, service_after: float = 1.0
) -> EarlierStudy:
    """Recorded trials as an earlier study."""
    return EarlierStudy(title, service_after, tuple(map(_recorded_trial, trials)))


def _recorded_trial(trial: RecordedTrial) -> EarlierTrial:
    own = parse_trial(trial.config)
    flat = flatten(own.to_dict())
    return EarlierTrial(own.key(), lambda d: flat.get(d.path), trial.outcome, trial.history)


def _tracked(study: TrackedStudy, *, title: str) -> EarlierStudy:
    service_after = _service_after(read_yaml(study.config_yaml))
    return EarlierStudy(title, service_after, tuple(map(_tracked_trial, study.trials)))


def _tracked_trial(trial: TrackedTrial) -> EarlierTrial:
    return EarlierTrial(
        trial.key, lambda d: _from_param(d, trial.params), trial.outcome, trial.history
    )


def _from_param(dimension: Dimension, params: Mapping[str, str]) -> Any:
    """A param's value as the domain has it; the key shows whether it is that to the last bit."""
    text, domain = params.get(dimension.path, ""), dimension.domain
    if isinstance(domain, Choices):
        return next((v for v in domain.values if str(as_param(v)) == text), None)
    try:
        return int(text) if domain.is_integer else float(text)
    except ValueError:
        return None


def _service_after(raw: Mapping[str, Any]) -> float:
    return float(raw.get("objective", {}).get("service_after", 1.0))


def transferred_trials(
    study: StudyConfig, earlier: EarlierStudy
) -> tuple[list[RecordedTrial], Counter[str]]:
    """The trials of an earlier study that could be this study's, and why others could not.

    A trial is one of this study's if the values of the searched paths lie in the space and the
    configuration that they make is the trial's to the last value: data, model, budget, seed.
    Errors under another ``objective.service_after`` are other quantities.
    """
    transferred: list[RecordedTrial] = []
    left_out: Counter[str] = Counter()
    for trial in earlier.trials:
        if trial.outcome not in ENDED_BY_THEMSELVES:
            left_out["they failed or did not end"] += 1
        elif not trial.history.megabatches:
            left_out["their history is not to be found"] += 1
        elif earlier.service_after != study.objective.service_after:
            left_out["another objective.service_after"] += 1
        elif (prior := _as_prior(study, trial)) is None:
            left_out["outside the space, or another fixed configuration"] += 1
        else:
            transferred.append(prior)
    return transferred, left_out


def _as_prior(study: StudyConfig, trial: EarlierTrial) -> RecordedTrial | None:
    """The trial as one of this study's; None where it could not be."""
    chosen = _chosen(study, trial)
    if chosen is None:
        return None
    own = study.compose(chosen)
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


def _chosen(study: StudyConfig, trial: EarlierTrial) -> dict[str, Any] | None:
    """A trial's values of the searched paths; None where they are no trial of this study's."""
    chosen: dict[str, Any] = {}
    for dimension in study.space.dimensions:
        if dimension.is_active({**study.fixed, **chosen}):
            value = trial.value_of(dimension)
            if value not in dimension.domain:
                return None
            chosen[dimension.path] = value
    try:
        study.compose(chosen)
    except ConfigError:
        return None
    return chosen
