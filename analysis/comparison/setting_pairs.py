"""Trials that differ in one setting alone: its values compared, all else equal."""

import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.by_example import ExampleValues, example_values
from analysis.comparison.comparisons import Comparison, compare
from analysis.comparison.dense_baseline import Row, budgets
from analysis.comparison.methods import asked_weights, data_keys, method_names
from analysis.errors import ReportError
from analysis.runs.cache import cached
from analysis.runs.frames import T
from analysis.statistics import summary
from analysis.wording import size
from study.comparisons import equal_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from analysis.runs.study_runs import Runs

# What tells configurations apart: the method.
PRUNED = "pruned"
# Values that are all compared with each other; of more each with the first alone.
_MOST_ALL = 3
# What both sides of a pair have, so that either's stands for it.
_SHARED = ("method", "density", "setting", "kept", "architecture", "num_megabatches", "data")
_NOT_THERE = frozenset({"None", "none", "nan", ""})


@dataclass(frozen=True, eq=False)
class SettingPairs:
    """Every pair of trials that differ in one setting alone.

    Attributes:
        rows: One a pair, as :func:`~analysis.comparison.comparisons.compare` takes them, with
            the ``method`` of both sides.
        values: What each example adds to the metric.
        num_unequal: Pairs left out as their trials had neither equal examples nor equal FLOPs.
    """

    rows: "tuple[Row, ...]"
    values: ExampleValues
    num_unequal: int

    def in_each_method(self) -> list[Comparison]:
        """Each two values under each method at each density: ``app, scratch``."""
        made = []
        for group in self._groups("a", "b", "method", "density"):
            found, method = compare(group, self.values), group[0]["method"]
            a, b = f"{method}, {found.a}", f"{method}, {found.b}"
            apart = tuple(dict.fromkeys(words for row in group for words in row["apart"]))
            made.append(dataclasses.replace(found, a=a, b=b, differing=apart))
        return made

    def over_methods(self) -> list[Comparison]:
        """Each two values over all methods, a configuration each: does it depend on these?"""
        return [compare(group, self.values, (PRUNED,)) for group in self._groups("a", "b")]

    def _groups(self, *keys: str) -> "Iterator[list[Row]]":
        """Of at least two pairs: a single one says nothing of chance."""
        groups: dict[tuple[object, ...], list[Row]] = {}
        for row in self.rows:
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
        return (group for group in groups.values() if len(group) > 1)


# What is tracked of a setting that says where a file lies.
_TRACKED_AS = {"model.weights": "model.weights_digest"}


@cached
def setting_pairs(runs: "Runs", path: str, metric: str) -> SettingPairs:
    """The pairs of finished trials that have ``metric`` and differ in ``path`` alone.

    A value is compared with the one that its trials come first with, and where there are no more
    than three of them with each other.

    Args:
        runs: The study.
        path: Dotted path of the setting; what belongs to single values of it goes with it. More
            that are changed together follow after commas, and the first one names the values.
        metric: What is compared.

    Raises:
        ReportError: The study has no such setting, or does not vary one of them.
    """
    import pandas as pd

    complete = runs.complete
    trials = complete[complete[metric].notna() & complete["density"].notna()]
    known = summary.varying(runs.trials)
    path, *others = (_TRACKED_AS.get(name.strip(), name.strip()) for name in path.split(","))
    for name in (path, *others):
        if name not in known:
            raise ReportError(
                f"the study does not vary {name!r}, so there is nothing to compare; it varies "
                f"{', '.join(known) or 'nothing'}"
            )
    going_with = [own for name in (path, *others) for own in companions(trials, name)]
    own = tuple(dict.fromkeys(name for name in (*others, *going_with) if name != path))
    said = () if others else own  # of what is compared together the user knows that it differs
    arms = _arm_names(trials, path, own)
    setting = summary.configurations(trials, excluding=(path, *own))
    frame = pd.DataFrame(
        {
            "arm": arms.map(str),
            "seeds": summary.seed_keys(trials),
            "setting": setting,
            "kept": asked_weights(trials),
            "run": trials["run_id"].map(str),
            "value": trials[metric].astype(float),
            "spent": budgets(trials),
            "method": method_names(trials),
            "density": trials["density"].astype(float).map(size),
            "architecture": trials["architecture"],
            "num_megabatches": trials[T],
            "data": data_keys(trials),
            "own": list(zip(*(trials[name].map(_text) for name in said), strict=True))
            if said
            else [()] * len(trials),
        }
    )
    by_place: dict[tuple[object, ...], list[Row]] = {}
    for side in frame.to_dict("records"):
        place = (side["setting"], side["kept"], side["seeds"])
        by_place.setdefault(place, []).append(side)
    order = list(dict.fromkeys(frame["arm"]))
    rows: list[Row] = []
    num_unequal = 0
    for sides in by_place.values():
        sides.sort(key=lambda side: order.index(side["arm"]))
        for b, a in itertools.combinations(sides, 2):
            if a["arm"] == b["arm"] or (b["arm"] != order[0] and len(order) > _MOST_ALL):
                continue
            equal = equal_in(a["spent"], b["spent"])
            num_unequal += not equal
            if equal:
                rows.append(_row(a, b, equal, said))
    return SettingPairs(tuple(rows), example_values(runs, metric), num_unequal)


def changed_with(trials: "pd.DataFrame", path: str) -> tuple[str, ...]:
    """Settings of which no two values of ``path`` have a value in common."""
    own = companions(trials, path)
    values = trials[path].map(str)
    return tuple(
        name
        for name in summary.varying(trials)
        if name != path and name not in own
        if values.groupby(trials[name].map(str)).nunique().max() == 1
    )


def companions(trials: "pd.DataFrame", path: str) -> tuple[str, ...]:
    """Settings of the same section that some values of ``path`` have and others have not."""
    section = f"{path.partition('.')[0]}."
    values = trials[path].map(str)
    found = []
    for name in summary.varying(trials):
        if name == path or not name.startswith(section):
            continue
        is_missing = trials[name].map(str).isin(_NOT_THERE)
        by_value = is_missing.groupby(values).agg(["all", "any"])
        if by_value["all"].any() and not by_value["any"].all():
            found.append(name)
    return tuple(found)


def _text(value: object) -> str:
    return "none" if str(value) in _NOT_THERE else str(value)


def _arm_names(trials: "pd.DataFrame", path: str, own: tuple[str, ...]) -> "pd.Series":
    """Values, and what else they differ in where one of them comes in several forms."""
    made = trials[path].map(str)
    values = made.copy()
    for name in own:
        several = trials[name].map(str).groupby(values).transform("nunique") > 1
        made = made.where(
            ~several, made + f", {name.partition('.')[2]} = " + trials[name].map(str)
        )
    return made


def _row(a: "Row", b: "Row", equal: frozenset[str], own: tuple[str, ...]) -> "Row":
    each = zip(own, a["own"], b["own"], strict=True)
    return {
        "apart": [f"{name} {x} against {y}" for name, x, y in each if x != y],
        "a": a["arm"],
        "b": b["arm"],
        "difference": a["value"] - b["value"],
        "settings": (a["method"],),
        "run_a": a["run"],
        "run_b": b["run"],
        "equal": equal,
        **{name: a[name] for name in _SHARED},
    }
