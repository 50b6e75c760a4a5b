"""Which networks of a search are candidates for the smallest that is as good as dense."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from study.candidates import Candidate, by_dense_service, smallness, sought_metric
from study.comparisons import EQUAL_SAMPLES, PLACES_OF_DATA, TASK_SECTIONS
from study.config.study_config import StudyConfig
from study.config.trial import flatten
from study.operations.confirm_arms import DENSE
from study.results import Outcome
from study.search.selection import eligible
from study.store.record import Record, RecordedTrial

ERRORS = ("service_error", "final_error")  # on the holdout

Groups = Mapping[Hashable, Sequence[Candidate]]


def compared_with_dense(record: Record, study: StudyConfig) -> Groups:
    """The pruned trials that may win, each beside dense, by network, data and T.

    Dense has the same data, network, stream and examples through SGD; of several it is that with
    the trial's own seed, and of these the best in service. A trial without a value of what the
    study seeks is none of them.
    """
    sought = sought_metric(study.objective.metrics)
    dense = sorted(
        (t for t in record.trials.values() if _is_dense(t) and _errors(t)),
        key=lambda trial: trial.final_values["service_error"],
    )
    by_settings: dict[Hashable, list[RecordedTrial]] = {}
    for trial in dense:
        by_settings.setdefault(_settings(trial), []).append(trial)
    groups: dict[Hashable, list[Candidate]] = {}
    for trial in eligible(record, study.objective):
        beside = _dense_of(trial, by_settings.get(_settings(trial), []))
        value = trial.final_values.get(sought, float("nan"))
        if _is_dense(trial) or beside is None or not _errors(trial) or not value > 0:
            continue
        config = trial.config
        place = (
            config["model"]["architecture"],
            config["data"]["dataset"],
            config["stream"]["num_megabatches"],
        )
        size = smallness(sought, value)
        made = Candidate(trial.number, size, *_errors(trial), *_errors(beside))
        groups.setdefault(place, []).append(made)
    return groups


def nearest(groups: Groups) -> Candidate:
    """The network that is least worse than dense, at the T at which dense serves best."""
    return min(by_dense_service(groups.values())[0], key=lambda one: one.excess)


def _is_dense(trial: RecordedTrial) -> bool:
    return bool(trial.config["pruning"]["schedule"] == DENSE)


def _errors(trial: RecordedTrial) -> tuple[float, ...]:
    """Service and final error of a complete trial; nothing where it lacks one."""
    if trial.outcome is not Outcome.COMPLETE:
        return ()
    found = tuple(trial.final_values.get(name, float("nan")) for name in ERRORS)
    return found if all(value == value for value in found) else ()


def _settings(trial: RecordedTrial) -> tuple[tuple[str, str], ...]:
    """All that must be equal for a fair comparison."""
    flat: Mapping[str, Any] = flatten(trial.config)
    return tuple(
        (path, str(value))
        for path, value in sorted(flat.items())
        if path.startswith(TASK_SECTIONS) and path not in PLACES_OF_DATA
    )


def _dense_of(trial: RecordedTrial, dense: Sequence[RecordedTrial]) -> RecordedTrial | None:
    """Of dense trials, the best first, the one that a trial is compared with."""
    seen = _samples(trial)
    same = [one for one in dense if not abs(_samples(one) - seen) > EQUAL_SAMPLES * seen]
    own = [one for one in same if one.config["seed"] == trial.config["seed"]]
    return next(iter([*own, *same]), None)


def _samples(trial: RecordedTrial) -> float:
    """Examples by which budgets are equal: by epochs, scoring weights comes on top of them."""
    seen = trial.final_values.get("samples_seen", 0.0)
    if trial.config["training"]["total_samples"] is not None:
        return seen
    return seen - trial.final_values.get("samples_scored", 0.0)
