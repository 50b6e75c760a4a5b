"""Which trials of a study go out: the best, the front, or one by its number or key."""

import itertools
import math

from study.config.study_sections import ObjectiveSection
from study.constraints import constraints_text
from study.errors import StudyError
from study.metrics import METRICS
from study.pareto import undominated
from study.registry import nearest
from study.results import Outcome
from study.search.feasibility import may_win
from study.search.ranking import best_first
from study.store.record import Record, RecordedTrial

BEST, PARETO = "best", "pareto"


def choose(
    record: Record, which: str, objective: ObjectiveSection, *, max_density: float | None = None
) -> list[RecordedTrial]:
    """The chosen trials, all of them complete, in order of proposal.

    Args:
        record: The study's.
        which: ``best`` in the first of the objectives, ``pareto`` for all that no other beats in
            every objective, or a trial's number or key. One that is named may break a constraint,
            or be an update; among the others no update is, since it has seen more than they have.
        objective: The study's metrics and constraints.
        max_density: Only networks that keep no more than this fraction of their weights; not for
            a trial that is named.

    Raises:
        StudyError: There is no such trial, it is not complete, or nothing can be chosen by.
    """
    if which not in (BEST, PARETO):
        return [named(record, which)]
    objectives, limits = objective.metrics, objective.limits
    measured = eligible(record, objective)
    if max_density is not None:
        measured = [t for t in measured if _values(t, ("final_density",))[0] <= max_density]
    if not measured:
        limit = "" if max_density is None else f" with a density of at most {max_density:g}"
        limit += f" that keeps {constraints_text(limits)}" if limits else ""
        raise StudyError(
            f"no complete trial{limit} has a value of {' and '.join(objectives)} to be chosen by; "
            f"name one by its number, e.g. --trial 0 (nothing is chosen on the test split)"
        )
    if which == BEST:
        return best_first(measured, lambda t: t.final_values, objectives[0])[:1]
    return front(measured, objectives)


def eligible(record: Record, objective: ObjectiveSection) -> list[RecordedTrial]:
    """The complete trials that keep every constraint and have a value of each objective."""
    able = [t for t in record.trials.values() if may_win(t, objective.limits)]
    return [t for t in able if not any(map(math.isnan, _values(t, objective.metrics)))]


def front(trials: list[RecordedTrial], metrics: tuple[str, ...]) -> list[RecordedTrial]:
    """Those of complete trials that no other beats in every metric, in the order given."""
    on_front = undominated(_costs(trial, metrics) for trial in trials)
    return list(itertools.compress(trials, on_front))


def named(record: Record, which: str) -> RecordedTrial:
    """The complete trial with this number or key, which may be an update.

    Raises:
        StudyError: There is none.
    """
    by_name = {t.key: t for t in record.all.values()}
    by_name |= {str(t.number): t for t in record.all.values()}
    if which not in by_name:
        guess = nearest(which, list(by_name))
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise StudyError(
            f"no trial {which!r}{hint}; name one by its number, from 0 to "
            f"{len(record.all) - 1}, or its key"
        )
    trial = by_name[which]
    if trial.outcome is not Outcome.COMPLETE:
        how = "has not ended" if trial.outcome is None else f"ended as {trial.outcome}"
        raise StudyError(f"trial {trial.number} {how}; only a complete trial has a result")
    return trial


def _values(trial: RecordedTrial, metrics: tuple[str, ...]) -> tuple[float, ...]:
    values = trial.values(metrics)
    assert values is not None, "the trial is complete"
    return values


def _costs(trial: RecordedTrial, metrics: tuple[str, ...]) -> tuple[float, ...]:
    """Values, lower is better."""
    values = _values(trial, metrics)
    return tuple(METRICS[name].cost(value) for name, value in zip(metrics, values, strict=True))
