"""Filtering and sorting trials by any dotted name."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from analysis.errors import ReportError, unknown
from study.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

_CONDITION = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def require(trials: "pd.DataFrame", name: str) -> str:
    """``name``, which is a column of ``trials``.

    Raises:
        ReportError: It is not; with the nearest match.
    """
    if name not in trials.columns:
        raise unknown("column", name, [str(known) for known in trials.columns])
    return name


def metrics(trials: "pd.DataFrame", listed: str) -> list[str]:
    """The metrics in a comma-separated list, each of which ``trials`` have a column of.

    Raises:
        ReportError: One is no metric, or none of theirs; with the nearest match.
    """
    known = [name for name in METRICS if name in trials.columns]
    names = [name.strip() for name in listed.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise unknown("metric", name, known)
    return list(dict.fromkeys(names))


def metric(trials: "pd.DataFrame", given: str, *, default: str) -> str:
    """The metric that an option gives, the first of several, or ``default`` where it gives none.

    Raises:
        ReportError: As :func:`metrics`.
    """
    return next(iter(metrics(trials, given)), default)


def where(trials: "pd.DataFrame", conditions: Sequence[str]) -> "pd.DataFrame":
    """The trials that meet every condition, e.g. ``pruning.schedule=app``, ``final_density<0.2``.

    Raises:
        ReportError: A condition cannot be read, or names no column.
    """
    for condition in conditions:
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise ReportError(
                f"--where {condition!r} is no condition; write NAME=VALUE, or !=, <, <=, >, >= "
                f"in place of =, in quotes"
            )
        name, symbol, value = match.groups()
        trials = trials[_holds(trials[require(trials, name)], symbol, value)]
    return trials


def _holds(column: "pd.Series", symbol: str, value: str) -> "pd.Series":
    from pandas.api import types

    if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        try:
            number = float(value)
        except ValueError:
            raise ReportError(f"--where: {column.name} holds numbers, {value!r} is none") from None
        return _OPERATORS[symbol](column, number) & column.notna()  # type: ignore[no-any-return]  # of a Series
    if symbol not in ("=", "==", "!="):
        raise ReportError(f"--where: {column.name} holds no numbers; only = and != apply to it")
    texts = column.map(lambda item: str(item).casefold())
    return _OPERATORS[symbol](texts, value.casefold())  # type: ignore[no-any-return]  # of a Series


def ordered(trials: "pd.DataFrame", names: Sequence[str]) -> "pd.DataFrame":
    """Trials sorted by ``names``: metrics from the best, others ascending, missing ones last.

    A ``-`` in front of a name turns its order around.

    Raises:
        ReportError: A name is no column.
    """
    # Sorted by the least important first, with a stable sort: columns may mix types.
    for given in reversed(names):
        name = require(trials, given.removeprefix("-"))
        known = METRICS.get(name)
        ascending = known is None or known.is_minimized
        trials = trials.sort_values(
            name, ascending=ascending != given.startswith("-"), kind="stable", na_position="last"
        )
    return trials
