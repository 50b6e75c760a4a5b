"""Which hyper-parameters a study varied, and over what: read from what its record says."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from analysis.statistics import summary
from analysis.statistics.importance import Domain, Value
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

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

    Of each searched path the record holds the domain. Where it holds none that can be read, as in
    a study without search, the values that were tried stand for it: a few numbers are choices.
    """
    searched = {
        name.removeprefix(names.PARAM_SPACE): _recorded(text)
        for name, text in runs.study.params.items()
        if name.startswith(names.PARAM_SPACE)
    }
    varied = [name for name in summary.varying(trials) if name not in _FACTS]
    chosen = [name for name in varied if name in searched] if searched else varied
    return {name: _domain(trials[name], searched.get(name)) for name in chosen}


def _recorded(text: str) -> Mapping[str, object] | None:
    """A domain in the form of a study file; None where it is in another, as it once was."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _domain(tried: "pd.Series", recorded: Mapping[str, object] | None) -> Domain:
    from pandas.api import types

    numeric = types.is_numeric_dtype(tried) and not types.is_bool_dtype(tried)
    if not numeric or (recorded and "choices" in recorded):
        return Domain(is_choice=True)
    if recorded:
        return Domain(is_choice=False, is_log=bool(recorded.get("log")))
    values = tried.dropna()
    if values.nunique() <= _MAX_CHOICES:
        return Domain(is_choice=True)
    is_wide = values.min() > 0 and values.max() >= 20 * values.min()
    return Domain(is_choice=False, is_log=bool(is_wide))


def configurations_of(
    trials: "pd.DataFrame", chosen: Mapping[str, Domain]
) -> list[dict[str, Value]]:
    """Of each trial the hyper-parameters ``chosen`` that it has."""
    made: list[dict[str, Value]] = [{} for _ in range(len(trials))]
    for name, domain in chosen.items():
        for place, value in enumerate(trials[name]):
            if value is None or value != value:
                continue
            made[place][name] = choice(value) if domain.is_choice else float(value)
    return made


def choice(value: object) -> str:
    """A choice in words; a whole number that pandas made a float is a whole number."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole and isinstance(value, float) else str(value)
