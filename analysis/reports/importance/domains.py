"""Hyper-parameters as importances take them: on which scale, and what each trial had."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from analysis.runs.search_space import is_few_choices, is_wide, recorded_domains, varied
from analysis.statistics.importance import Domain, Value

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs


def domains(runs: "Runs", trials: "pd.DataFrame") -> dict[str, Domain]:
    """What the study searched that differs between ``trials``, or, without search, what differs.

    Of each searched path the record holds the domain. Where it holds none that can be read, as in
    a study without search, the values that were tried stand for it: a few numbers are choices.
    """
    searched = recorded_domains(runs.study)
    differing = varied(trials)
    chosen = [name for name in differing if name in searched] if searched else differing
    return {name: _domain(trials[name], searched.get(name)) for name in chosen}


def _domain(tried: "pd.Series", recorded: Mapping[str, object] | None) -> Domain:
    from pandas.api import types

    numeric = types.is_numeric_dtype(tried) and not types.is_bool_dtype(tried)
    if not numeric or (recorded and "choices" in recorded):
        return Domain(is_choice=True)
    if recorded:
        return Domain(is_choice=False, is_log=bool(recorded.get("log")))
    if is_few_choices(tried):
        return Domain(is_choice=True)
    return Domain(is_choice=False, is_log=is_wide(tried))


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
