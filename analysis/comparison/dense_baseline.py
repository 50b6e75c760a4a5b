"""Pruned trials against the dense one of equal T: which are as good as dense."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis.runs.cache import cached
from analysis.runs.frames import KEY, T
from analysis.statistics import summary
from analysis.statistics.summary import Interval
from study.candidates import DENSITY, Candidate, nominated, smallness
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
class Measure:
    """Which errors a study is judged by, and on how many examples they were measured.

    Attributes:
        service: Metric of the service error, on holdout or, where there is none, on test.
        final: Metric of the last model's error.
        curve: Metric of the error after each megabatch.
        split: ``holdout`` or ``test``.
        num_examples: Size of that split; None where it was not recorded.
        margin: How much worse than dense still looks as good, as a fraction of examples.
        sought: What pruning is to bring; by it candidates are put in order.
    """

    service: str
    final: str
    curve: str
    split: str
    num_examples: int | None
    margin: float
    sought: str = DENSITY

    @property
    def may_select(self) -> bool:
        """Whether the best may be named: nothing is chosen on the test split."""
        return self.split != "test"

    def on_split(self, name: str) -> str:
        """A metric of the whole trial, on the split."""
        return f"test_{name}" if self.split == "test" else name

    def interval(self, rate: float) -> Interval | None:
        """The binomial interval of an error rate on the split; None where its size is unknown."""
        if self.num_examples is None or not 0 <= rate <= 1:
            return None
        return summary.wilson_interval(rate, self.num_examples)


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


def measure_of(runs: "Runs") -> Measure:
    """Holdout errors; test errors only where no trial has a holdout error but some a test one."""
    trials = runs.trials
    has_holdout = trials[["service_error", "holdout_error_rate"]].notna().to_numpy().any()
    has_test = trials[["test_service_error", "test_error_rate"]].notna().to_numpy().any()
    split, prefix = ("test", "test_") if has_test and not has_holdout else ("holdout", "")
    return Measure(
        service=f"{prefix}service_error",
        final=f"{prefix}final_error",
        curve=f"{split}_error_rate",
        split=split,
        num_examples=_split_size(runs, f"data.{split}_size"),
        margin=runs.study.margin,
        sought=runs.study.sought if runs.study.sought in runs.trials else DENSITY,
    )


def _split_size(runs: "Runs", name: str) -> int | None:
    import pandas as pd

    recorded = [runs.study.params.get(name)]
    if name in runs.trials:
        recorded += runs.trials[name].dropna().tolist()
    sizes = pd.to_numeric(pd.Series(recorded, dtype="object"), errors="coerce").dropna()
    # The smallest, should they differ: its interval is the widest.
    return int(sizes.min()) if len(sizes) and sizes.min() >= 1 else None


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


@dataclass(frozen=True)
class Match:
    """A pruned trial and the dense one that it was compared with.

    Attributes:
        trial: Or a configuration: :func:`by_configuration`.
        baseline: Of it.
        configuration: Its number; trials that differ in seeds alone share it.
        num_seeds: Trials that it stands for.
    """

    trial: Row
    baseline: Baseline
    configuration: int = 0
    num_seeds: int = 1

    @property
    def trained_apart(self) -> list[str]:
        """The ``training.*`` settings in which it differs from dense."""
        return training_differences(self.trial, self.baseline.trial)


@cached
def matches(runs: "Runs", measure: Measure) -> list[Match]:
    """Every finished pruned trial that has a dense baseline, with it."""
    pruned = runs.complete[
        (runs.complete["method"] != DENSE)
        & runs.complete[[measure.service, measure.final, "final_density"]].notna().all(axis=1)
    ]
    baselines = Baselines(runs, measure)
    numbers = summary.configurations(pruned)
    found = []
    for trial, number in zip(pruned.to_dict("records"), numbers, strict=True):
        baseline = baselines.for_trial(trial)
        if baseline is not None:
            found.append(Match(trial, baseline, int(number)))
    return found


def by_configuration(found: list[Match], measure: Measure) -> list[Match]:
    """One match a configuration, with the mean errors of its seeds and of their dense trials.

    One seed of five that is as good by chance makes no configuration of it.
    """
    groups: dict[int, list[Match]] = {}
    for match in found:
        groups.setdefault(match.configuration, []).append(match)
    return [own[0] if len(own) == 1 else _mean_match(own, measure) for own in groups.values()]


def _mean_match(own: list[Match], measure: Measure) -> Match:
    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    trial, dense = dict(own[0].trial), dict(own[0].baseline.trial)
    trial[measure.sought] = mean([float(m.trial[measure.sought]) for m in own])
    for name in (measure.service, measure.final):
        trial[name] = mean([float(m.trial[name]) for m in own])
        dense[name] = mean([float(m.baseline.trial[name]) for m in own])
    service, final = (
        Interval(mean([i.low for i in intervals]), mean([i.high for i in intervals]))
        for intervals in (
            [m.baseline.service for m in own],
            [m.baseline.final for m in own],
        )
    )
    return Match(
        trial,
        Baseline(dense, service, final, own[0].baseline.equal_budget),
        own[0].configuration,
        len(own),
    )


def as_good(match: Match, measure: Measure) -> bool:
    """Whether it looks as good as dense: neither error was found to be worse by the margin."""
    return _candidate(match, replace(measure, sought=DENSITY)).looks_as_good(measure.margin)


def smallest_as_good(found: list[Match], measure: Measure) -> Match | None:
    """The smallest match that looks as good as dense, the fastest where a speed-up is sought.

    Of the front at the T at which dense serves best and any looks as good: the rule by which
    candidates for a confirmation are chosen. None where none does.
    """
    groups: dict[tuple[object, ...], list[Candidate]] = {}
    for match in found:
        trial = match.trial
        if not trial[measure.sought] > 0:  # was not measured
            continue
        place = trial["architecture"], trial["dataset"], num_megabatches(trial)
        groups.setdefault(place, []).append(_candidate(match, measure))
    points = nominated(groups.values(), measure.margin)
    by_number = {int(match.trial["number"]): match for match in found}
    return by_number[points[-1].number] if points else None


def _candidate(match: Match, measure: Measure) -> Candidate:
    trial, dense = match.trial, match.baseline.trial
    return Candidate(
        number=int(trial["number"]),
        size=smallness(measure.sought, float(trial[measure.sought])),
        service=float(trial[measure.service]),
        final=float(trial[measure.final]),
        dense_service=float(dense[measure.service]),
        dense_final=float(dense[measure.final]),
    )


def num_megabatches(trial: "Row | pd.Series") -> int:
    """T of a trial; 0 where its record does not say."""
    value = trial[T]
    return int(value) if value == value and value is not None else 0
