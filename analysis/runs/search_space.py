"""What a study varied, read from what its record says and from what was tried."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.statistics import summary
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import StudyFacts

Value = str | int | float | bool

# What follows from the other settings.
_CONSEQUENCES = frozenset(
    {
        "data.holdout_size",
        "data.test_size",
        "data.stream_size",
        "data.num_classes",
        "model.num_parameters",
        "model.num_prunable",
        "data.root",
        "data.download",
    }
)
_MAX_CHOICES = 6


@dataclass(frozen=True)
class Numbers:
    """A hyper-parameter that is a number from ``low`` to ``high``, both included."""

    low: float
    high: float
    is_integer: bool = False
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Choices:
    """A hyper-parameter that is one of several values."""

    values: tuple[Value, ...]


def recorded_domains(study: "StudyFacts") -> dict[str, Mapping[str, object] | None]:
    """Searched path → its domain in the form of a study file; None where it is in another."""
    return {
        name.removeprefix(names.PARAM_SPACE): _parsed(text)
        for name, text in study.params.items()
        if name.startswith(names.PARAM_SPACE)
    }


def _parsed(text: str) -> Mapping[str, object] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def varied(trials: "pd.DataFrame") -> list[str]:
    """The params in which the trials differ of themselves, seeds apart."""
    return [name for name in summary.varying(trials) if name not in _CONSEQUENCES]


def is_few_choices(tried: "pd.Series") -> bool:
    """Whether numbers that were tried are choices, where no record says so: there are few."""
    return bool(tried.dropna().nunique() <= _MAX_CHOICES)


def is_wide(tried: "pd.Series") -> bool:
    """Whether numbers that were tried belong on a logarithmic scale."""
    values = tried.dropna()
    return bool(values.min() > 0 and values.max() >= 20 * values.min())


@dataclass(frozen=True)
class SearchSpace:
    """The hyper-parameters of a study, and what each trial chose.

    Attributes:
        domains: Path → domain. It holds all that was tried: points may lie outside of what was
            searched, and a study without search has none but those.
        chosen: One mapping a trial, as the trials stand; what a trial has not is left out.
    """

    domains: Mapping[str, Numbers | Choices]
    chosen: tuple[Mapping[str, Value], ...]


def search_space(study: "StudyFacts", trials: "pd.DataFrame") -> SearchSpace:
    """What the study searched; without search, what differs between ``trials``."""
    recorded = recorded_domains(study)
    paths = [path for path in recorded if path in trials] if recorded else varied(trials)
    tried = {path: _tried(trials[path], recorded.get(path)) for path in paths}
    domains = {
        path: _domain(trials[path], values, recorded.get(path))
        for path, values in tried.items()
        if any(value is not None for value in values)
    }
    chosen = tuple(
        {path: value for path in domains if (value := tried[path][row]) is not None}
        for row in range(len(trials))
    )
    return SearchSpace(domains, chosen)


def _tried(column: "pd.Series", recorded: Mapping[str, object] | None) -> list[Value | None]:
    known = recorded.get("choices", ()) if recorded else ()
    may_be_none = isinstance(known, list) and names.NOT_APPLICABLE in known
    missing = (None,) if may_be_none else (None, names.NOT_APPLICABLE)
    return [None if value in missing or value != value else _plain(value) for value in column]


def _plain(value: object) -> Value:
    """A Python value; a whole number that pandas made a float is a whole number."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    return plain if isinstance(plain, str | int | float | bool) else str(plain)


def _domain(
    column: "pd.Series", tried: list[Value | None], recorded: Mapping[str, object] | None
) -> Numbers | Choices:
    given = [value for value in tried if value is not None]
    numbers = [float(v) for v in given if isinstance(v, int | float) and not isinstance(v, bool)]
    listed = recorded.get("choices") if recorded else None
    if isinstance(listed, list):
        return _choices([*(_plain(v) for v in listed if not isinstance(v, list)), *given])
    if len(numbers) < len(given):
        return _choices(given)
    if recorded:
        return _range(numbers, recorded)
    if is_few_choices(column):
        return _choices(given)
    is_integer = all(number.is_integer() for number in numbers)
    return Numbers(min(numbers), max(numbers), is_integer, is_wide(column))


def _choices(values: list[Value]) -> Choices:
    """Each value once, True apart from 1; numbers in their order, else as they come."""
    once = list({(type(value), value): value for value in values}.values())
    if all(isinstance(value, int | float) for value in once):
        once.sort(key=float)
    return Choices(tuple(once))


def _range(tried: list[float], recorded: Mapping[str, object]) -> Numbers:
    low, high, step = (recorded.get(name) for name in ("low", "high", "step"))
    ends = [end for end in (low, high) if isinstance(end, int | float)]
    numbers = [*tried, *map(float, ends)]
    is_integer = all(isinstance(end, int) for end in ends) and all(n.is_integer() for n in numbers)
    grid = float(step) if isinstance(step, int | float) else None
    if grid and any(abs(n - round((n - min(numbers)) / grid) * grid - min(numbers)) > 1e-8 * grid
                    for n in numbers):  # fmt: skip
        grid = None  # a point beside the grid
    return Numbers(min(numbers), max(numbers), is_integer, bool(recorded.get("log")), grid)
