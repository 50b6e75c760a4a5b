"""The dense trial that another is to be compared with: equal T, data, model and budget."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.comparison.measure import Measure
from analysis.runs.frames import KEY, T
from analysis.statistics import summary
from analysis.statistics.summary import Interval
from study.comparisons import (
    TASK_SECTIONS,
    Side,
    Spent,
    budget_words,
    dense_beside,
    equal_in,
)

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

# A trial's values by their columns' names: a Series of each would take most of the time.
Row = Mapping[Hashable, Any]

DENSE = "dense"


@dataclass(frozen=True)
class Baseline:
    """The dense trial at one T and one model, with the intervals of its two errors.

    ``equal_budget`` says in what it had an equal budget, where that is not both examples and
    FLOPs: ``equal FLOPs``.
    """

    trial: Row
    service: Interval
    final: Interval
    equal_budget: str = ""


def budgets(trials: "pd.DataFrame") -> "pd.Series":
    """What each trial's training took, as budgets are compared."""
    import pandas as pd

    none = pd.Series(float("nan"), index=trials.index)
    # A column of nothing but "none" is text.
    totals = [
        pd.to_numeric(trials.get(f"training.{name}", none), errors="coerce")
        for name in ("total_samples", "total_flops")
    ]
    is_by_epochs = totals[0].isna() & totals[1].isna()
    counts = ("samples_seen", "samples_scored", "train_flops")
    columns = [pd.to_numeric(trials.get(name, none), errors="coerce") for name in counts]
    made = [
        Spent.of(dict(zip(counts, values, strict=True)), is_by_epochs=by_epochs)
        for by_epochs, *values in zip(is_by_epochs, *columns, strict=True)
    ]
    return pd.Series(made, index=trials.index, dtype=object)


class Baselines:
    """The dense trials of a study, each found by the trials that it is to be compared with."""

    def __init__(self, runs: "Runs", measure: Measure) -> None:
        self._measure = measure
        trials = runs.trials
        self._tasks = _tasks(trials)
        self._spent = dict(zip(trials[KEY], budgets(trials), strict=True))
        dense = runs.complete[runs.complete["method"] == DENSE]
        dense = dense[dense[measure.service].notna() & dense[measure.final].notna()]
        # The hardest to match come first; on the test split the first, since nothing is chosen.
        order = [measure.service, "number"] if measure.may_select else ["number"]
        self._dense: dict[Hashable, list[Side[Row]]] = {}
        for trial in dense.sort_values(order).to_dict("records"):
            side = self._side(trial)
            self._dense.setdefault(side.task, []).append(side)
        # Many trials have the same: each is looked for once.
        self._found: dict[tuple[Hashable, Spent, str], Baseline | None] = {}

    def for_trial(self, trial: Row) -> Baseline | None:
        """The dense trial that ``trial`` is to be compared with, or None.

        Complete, with the same T, stream, data and model, and an equal budget of examples or of
        FLOPs: see :func:`study.comparisons.dense_beside`. It may have been trained with other
        settings: see :func:`training_differences`. Of equals it is the one with the lowest service
        error, or the first where errors are of the test split.
        """
        side = self._side(trial)
        wanted = side.task, side.spent, side.seed
        if wanted not in self._found:
            self._found[wanted] = self._find(side)
        return self._found[wanted]

    def _side(self, trial: Row) -> Side[Row]:
        key = trial[KEY]
        return Side(trial, self._tasks[key], str(trial["seed"]), self._spent[key])

    def _find(self, side: Side[Row]) -> Baseline | None:
        chosen = dense_beside(side, self._dense.get(side.task, []))
        if chosen is None:
            return None
        service = self._measure.interval(chosen.trial[self._measure.service])
        final = self._measure.interval(chosen.trial[self._measure.final])
        if service is None or final is None:
            return None
        equal = budget_words(equal_in(side.spent, chosen.spent))
        return Baseline(chosen.trial, service, final, equal)


def _tasks(trials: "pd.DataFrame") -> dict[str, tuple[str, ...]]:
    """Trial key → all that must be equal for a fair comparison."""
    names = [
        name
        for name in summary.params_of(trials)
        if name.startswith(TASK_SECTIONS) and name not in summary.UNCOMPARED
    ]
    columns = [trials[name].map(str) for name in ("architecture", "dataset", *names)]
    return dict(zip(trials[KEY], zip(*columns, strict=True), strict=True))


def training_differences(
    a: "Row | pd.Series", b: "Row | pd.Series", tuned: tuple[str, ...] = ("training.",)
) -> list[str]:
    """The settings in which two trials differ: ``training.lr 0.1 against 0.05``.

    Args:
        a: A trial.
        b: Another one.
        tuned: How the names of the settings that are looked at begin.
    """
    return [
        f"{name} {_in_words(a[name])} against {_in_words(b[name])}"
        for name in map(str, a.keys())
        if name.startswith(tuned) and _in_words(a[name]) != _in_words(b.get(name))
    ]


def _in_words(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if value == value else "none"
    return "none" if value is None else str(value)


def num_megabatches(trial: "Row | pd.Series") -> int:
    """T of a trial; 0 where its record does not say."""
    value = trial[T]
    return int(value) if value == value and value is not None else 0
