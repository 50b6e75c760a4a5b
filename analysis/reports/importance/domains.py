"""Which hyper-parameters a study varied, and over what: read from what its record says."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from analysis.statistics import summary
from analysis.statistics.importance import Domain, Value

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_PREFIX = "search.space."
# What follows from the other settings.
_FACTS = frozenset(
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


def domains(runs: "Runs", trials: "pd.DataFrame") -> dict[str, Domain]:
    """What the study searched that differs between ``trials``, or, without search, what differs.

    The record names what was searched, and says ``one of …`` or ``… to … (log)`` of
    each; where it does not, numbers of which only a few were tried are choices too.
    """
    told = {
        name.removeprefix(_PREFIX): text
        for name, text in runs.study.params.items()
        if name.startswith(_PREFIX)
    }
    varied = [name for name in summary.varying(trials) if name not in _FACTS]
    chosen = [name for name in varied if name in told] if told else varied
    return {name: _domain(trials[name], told.get(name, "")) for name in chosen}


def _domain(tried: "pd.Series", told: str) -> Domain:
    from pandas.api import types

    numeric = types.is_numeric_dtype(tried) and not types.is_bool_dtype(tried)
    if not numeric or told.startswith("one of "):
        return Domain(is_choice=True)
    values = tried.dropna()
    if not told and values.nunique() <= _MAX_CHOICES:
        return Domain(is_choice=True)
    positive = bool((values > 0).all())
    wide = positive and float(values.max()) >= 20 * float(values.min())
    return Domain(is_choice=False, is_log=positive and (wide if not told else "(log" in told))


def configurations_of(
    trials: "pd.DataFrame", names: Mapping[str, Domain]
) -> list[dict[str, Value]]:
    """Of each trial the hyper-parameters ``names`` that it has."""
    made: list[dict[str, Value]] = [{} for _ in range(len(trials))]
    for name, domain in names.items():
        for place, value in enumerate(trials[name]):
            if value is None or value != value:
                continue
            made[place][name] = choice(value) if domain.is_choice else float(value)
    return made


def choice(value: object) -> str:
    """A choice in words; a whole number that pandas made a float is a whole number."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole and isinstance(value, float) else str(value)
