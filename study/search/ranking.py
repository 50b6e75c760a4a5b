"""Which trials may win, and in what order: one rule for all that name a best."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from study.constraints import Constraint, allows_all
from study.metrics import METRICS

Trial = TypeVar("Trial")


def best_first(
    complete: Iterable[Trial],
    values: Callable[[Trial], Mapping[str, float]],
    metric: str,
    constraints: tuple[Constraint, ...] = (),
) -> list[Trial]:
    """The trials that have ``metric`` and break no constraint, the best first.

    The earliest of equals comes first.

    Args:
        complete: Complete trials, in order of proposal.
        values: A trial's metrics at its end.
        metric: What is compared, by its own direction.
        constraints: The study's.
    """
    cost = METRICS[metric].cost
    may_win = [
        (cost(known[metric]), trial)
        for trial in complete
        if _is_number((known := values(trial)).get(metric)) and allows_all(constraints, known)
    ]
    return [trial for _, trial in sorted(may_win, key=lambda pair: pair[0])]


def _is_number(value: float | None) -> bool:
    return value is not None and value == value
