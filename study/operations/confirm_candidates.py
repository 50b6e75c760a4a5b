"""Which networks of a search are candidates for the smallest that is as good as dense."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from study.candidates import Candidate, by_dense_service, smallness, sought_metric
from study.comparisons import PLACES_OF_DATA, TASK_SECTIONS, Side, Spent, dense_beside
from study.config.sections import TOTALS
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

    Dense has the same data, network and stream, and an equal budget: see
    :func:`study.comparisons.dense_beside`. Of equals it is the best in service. A trial without a
    value of what the study seeks is none of them.
    """
    sought = sought_metric(study.objective.metrics)
    dense = sorted(
        (t for t in record.trials.values() if _is_dense(t) and _errors(t)),
        key=lambda trial: trial.final_values["service_error"],
    )
    by_task: dict[Hashable, list[Side[RecordedTrial]]] = {}
    for side in map(_side, dense):
        by_task.setdefault(side.task, []).append(side)
    groups: dict[Hashable, list[Candidate]] = {}
    for trial in eligible(record, study.objective):
        side = _side(trial)
        beside = dense_beside(side, by_task.get(side.task, []))
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
        made = Candidate(trial.number, size, *_errors(trial), *_errors(beside.trial))
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


def _side(trial: RecordedTrial) -> Side[RecordedTrial]:
    flat: Mapping[str, Any] = flatten(trial.config)
    task = tuple(
        (path, str(value))
        for path, value in sorted(flat.items())
        if path.startswith(TASK_SECTIONS) and path not in PLACES_OF_DATA
    )
    is_by_epochs = all(flat.get(path) is None for path in TOTALS)
    spent = Spent.of(trial.final_values, is_by_epochs=is_by_epochs)
    return Side(trial, task, str(trial.config["seed"]), spent)
