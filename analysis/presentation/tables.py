"""Frames as report tables: which format a column has, and plain values for its cells."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.presentation.report import Column, Format, ReportTable, Value
from analysis.runs.frames import T
from analysis.statistics.summary import Interval, mean_interval
from analysis.wording import label
from study.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

_LISTED = (
    Column("arm", "method"),
    Column("architecture", "architecture"),
    Column(T, "T", "integer"),
    Column("density", "weights kept", "percent"),
    Column("seeds", "seeds", "integer"),
)
_TOO_LONG = 10_000_000  # whole numbers beyond are shown by their first digits


def column(name: str, frame: "pd.DataFrame") -> Column:
    """The column ``name`` of ``frame``, formatted by what it is."""
    return Column(name, label(name), _format(name, frame))


def _format(name: str, frame: "pd.DataFrame") -> Format:
    from pandas.api import types

    # A param such as pruning.final_density sets the metric that it is named after.
    metric = METRICS.get(name.rpartition(".")[2])
    if metric is not None and metric.is_fraction:
        return "percent"
    if types.is_bool_dtype(frame[name]) or not types.is_numeric_dtype(frame[name]):
        return "text"
    values = frame[name].dropna()
    if len(values) and values.abs().max() >= _TOO_LONG:
        return "number"
    return "integer" if (values == values.round()).all() else "number"


def listed_by(*names: str) -> list[Column]:
    """Columns of what configurations are listed by, under one heading in all tables."""
    known = {column.name: column for column in _LISTED}
    return [known[name] for name in names]


def value_columns(name: str, title: str = "") -> tuple[Column, Column]:
    """Columns of a metric's value and of its 95 % interval."""
    is_fraction = METRICS[name].is_fraction
    return (
        Column(name, title or label(name), "percent" if is_fraction else "number"),
        Column(f"{name}_interval", "95 % interval", "interval" if is_fraction else "range"),
    )


def over_seeds(values: Sequence[float], metric: str) -> tuple[Value, Value]:
    """Cells of :func:`value_columns`: the mean of some values, and Student's interval of it."""
    if not values:
        return None, None
    return math.fsum(values) / len(values), span(mean_interval(values), metric)


def span(interval: Interval | None, metric: str = "") -> Value:
    """An interval as a cell, within the bounds of its metric."""
    if interval is None:
        return None
    if metric not in METRICS:
        return interval.low, interval.high
    bounds = METRICS[metric]
    return max(bounds.low, interval.low), min(bounds.high, interval.high)


def cell(value: object) -> Value:
    """A plain Python value; None for anything missing."""
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return None
    plain = value.item() if hasattr(value, "item") else value
    return plain if isinstance(plain, str | int | float | bool) else str(plain)


def table(title: str, frame: "pd.DataFrame", names: Sequence[str]) -> ReportTable:
    """The named columns of ``frame``, row by row."""
    columns = tuple(column(name, frame) for name in names)
    values = [[cell(value) for value in frame[name]] for name in names]
    rows = tuple(zip(*values, strict=True))
    # A whole number that pandas made a float because another is missing.
    whole = [c.format == "integer" for c in columns]
    return ReportTable(
        title,
        columns,
        tuple(
            tuple(
                int(v) if is_whole and isinstance(v, float) else v
                for v, is_whole in zip(row, whole, strict=True)
            )
            for row in rows
        ),
    )
