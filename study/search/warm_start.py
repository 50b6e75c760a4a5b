"""Warm starts: what earlier studies know, as a search's own trials or as places to try first."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from study.config.problems import ConfigError
from study.config.study_config import StudyConfig
from study.metrics import METRICS, Metric
from study.results import ENDED_BY_THEMSELVES, Outcome
from study.search.earlier import EarlierStudy, EarlierTrial
from study.search.explored import Explored
from study.search.feasibility import broken
from study.store.record import Record, RecordedTrial
from study.text import count


def warm_start(study: StudyConfig, earlier: Iterable[EarlierStudy], record: Record) -> list[str]:
    """Record what earlier studies know, for the sampler alone; interrupted, it can be repeated.

    Trials that could be this study's own are transferred. Of a study that has none the best
    places of the space are recorded, to be tried first.

    Returns:
        A notice for each study: how many trials, why others were left out, and which places.
    """
    notices = []
    recorded = {prior.key for prior in record.priors}
    transferred: set[str] = set()
    for other in earlier:
        found, left_out = transferred_trials(study, other)
        new = [prior for prior in found if prior.key not in transferred]
        transferred |= {prior.key for prior in new}
        for prior in new:
            if prior.key not in recorded:
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
    if notices:
        record.end_warm_start()
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
