"""Error and density along the stream, best trials beside dense and one-shot at equal T."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from analysis import summary
from analysis.baseline import DENSE, Baselines, Measure, matches, measure, smallest_as_good
from analysis.figure import HELD, Axis, Figure, Panel, Series
from analysis.frames import KEY, STEP, T
from analysis.report import REPORTS, Report, ReportSection, ReportTable
from analysis.tables import table
from analysis.wording import percent, size

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs import Runs

TITLE = "How good at every moment?"
ONE_SHOT = "one_shot"


@REPORTS.register("curves")
@dataclass(frozen=True)
class CurvesReport(Report):
    """Error and density after each megabatch: best trials with dense and one-shot at equal T."""

    position: ClassVar[int] = 40

    trials: int = field(default=2, metadata={"help": "How many of the best trials at each T."})
    stream_lengths: int = field(default=4, metadata={"help": "How many values of T at most."})

    def build(self, runs: "Runs") -> ReportSection:
        """A figure for each T, and the values drawn as a table."""
        by = measure(runs)
        drawn = runs.megabatches[runs.megabatches[by.curve].notna()]
        candidates = runs.complete[runs.complete[KEY].isin(list(drawn[KEY].unique()))]
        if candidates.empty:
            return ReportSection(TITLE, ("No finished trial has a history to draw.",))
        # The T that served best come first; those shown are then in order.
        lengths = candidates.groupby(T)[by.service].min().sort_values()
        shown = sorted(lengths.index[: self.stream_lengths])
        sentences = [
            "The model of a megabatch serves until the next one has been learned; lower is better."
        ]
        if len(shown) < len(lengths):
            sentences.append(
                f"{len(shown)} of {len(lengths)} numbers of megabatches are drawn, those that "
                f"served best; --stream-lengths draws more."
            )
        chooser = _Chooser(runs, by, self.trials)
        chosen = {t: chooser.choose(candidates[candidates[T] == t]) for t in shown}
        keys = [key for trials in chosen.values() for key in trials[KEY]]
        top = 1.08 * float(drawn.loc[drawn[KEY].isin(keys), by.curve].max()) or 1.0
        figures = tuple(_figure(runs, by, int(t), trials, top=top) for t, trials in chosen.items())
        return ReportSection(TITLE, tuple(sentences), figures, (_table(runs, by, keys),))


class _Chooser:
    """Picks the trials to draw at one T."""

    def __init__(self, runs: "Runs", by: Measure, num_best: int) -> None:
        self._by = by
        self._num_best = num_best
        self._baselines = Baselines(runs, by)
        self._matches = matches(runs, by)
        self._front = summary.pareto_front(
            runs.trials, {by.service: "minimize", "final_density": "minimize"}
        )

    def choose(self, same_t: "pd.DataFrame") -> "pd.DataFrame":
        """Dense and one-shot, then the best of the other trials; ``same_t`` are all of one T."""
        best = self._best(same_t)
        rows = [*self._dense(same_t, best), *self._one_shot(same_t, best), *best.index]
        return same_t.loc[rows]

    def _best(self, same_t: "pd.DataFrame") -> "pd.DataFrame":
        """The smallest as good as dense, those on the study's front, then the best served."""
        pruned = same_t[~same_t["method"].isin([DENSE, ONE_SHOT])].sort_values(self._by.service)
        ranked = pruned.assign(_off=~self._front[pruned.index]).sort_values("_off", kind="stable")
        keys = list(ranked[KEY])
        here = set(keys)
        smallest = smallest_as_good([m for m in self._matches if m.trial[KEY] in here], self._by)
        if smallest is not None:
            keys.insert(0, smallest.trial[KEY])
        return same_t[same_t[KEY].isin(list(dict.fromkeys(keys))[: self._num_best])]

    def _one_shot(self, same_t: "pd.DataFrame", best: "pd.DataFrame") -> "list[Hashable]":
        """The one nearest in size to the best trial; where there is none, the best served."""
        found = same_t[same_t["method"] == ONE_SHOT].sort_values(self._by.service)
        if not best.empty:
            away = (found["final_density"] - best["final_density"].iloc[0]).abs()
            found = found.loc[away.sort_values(kind="stable").index]
        return list(found.index[:1])

    def _dense(self, same_t: "pd.DataFrame", best: "pd.DataFrame") -> "list[Hashable]":
        """The one that the best trial is compared with; where there is none, the best served."""
        found = same_t[same_t["method"] == DENSE].sort_values(self._by.service)
        baseline = self._baselines.of(best.iloc[0]) if not best.empty else None
        if baseline is not None:
            found = found[found[KEY] == baseline.trial[KEY]]
        return list(found.index[:1])


def _figure(runs: "Runs", by: Measure, t: int, trials: "pd.DataFrame", *, top: float) -> Figure:
    configurations = summary.configurations(runs.complete)
    errors, densities = [], []
    drawn: Counter[str] = Counter()
    for _, trial in trials.iterrows():
        own = configurations[runs.complete[KEY] == trial[KEY]].iloc[0]
        same = runs.complete[configurations == own]
        rows = runs.megabatches[runs.megabatches[KEY].isin(list(same[KEY]))]
        name = _name(trial, len(same))
        method = str(trial["method"])
        errors.append(_line(rows, by.curve, name, method, drawn[method]))
        densities.append(_line(rows, "density", name, method, drawn[method]))
        drawn[method] += 1
    return Figure(
        name=f"curves-{t}",
        title=f"T = {t}",
        caption=(
            f"Error rate on {by.split} and weights kept after each of {t} megabatches. Where a "
            f"configuration was run with several seeds, the line is their mean and the shade its "
            f"95 % interval."
        ),
        # Waiting for the first model counts: the axis starts with the stream.
        x=Axis("stream arrived", span=(0.0, 1.0 + HELD)),
        panels=(
            Panel(Axis("error rate", span=(0.0, top)), tuple(errors)),
            Panel(Axis("weights kept", span=(0.0, 1.04)), tuple(densities)),
        ),
        half_width=True,
    )


def _name(trial: "pd.Series", seeds: int) -> str:
    kept = "" if trial["method"] == DENSE else f" {size(trial['final_density'])}"
    who = f"trial {trial['number']}" if seeds == 1 else f"{seeds} seeds"
    return f"{trial['method']}{kept} ({who})"


def _line(rows: "pd.DataFrame", metric: str, name: str, method: str, dash: int) -> Series:
    steps = [
        (position, [float(value) for value in group[metric].dropna()])
        for position, group in rows.groupby("stream_fraction")
    ]
    steps = [(position, values) for position, values in steps if values]
    means = [sum(values) / len(values) for _, values in steps]
    spreads = [summary.mean_interval(values) for _, values in steps]
    sure = [s for s in spreads if s is not None] if all(spreads) else []
    words = size if metric == "density" else percent
    return Series(
        name=name,
        x=tuple(float(position) for position, _ in steps),  # type: ignore[arg-type]  # a float column
        y=tuple(means),
        hover=tuple(f"{name}\n{words(mean)}" for mean in means),
        method=method,
        mark="steps",
        dash=dash,
        low=tuple(max(0.0, s.low) for s in sure),
        high=tuple(min(1.0, s.high) for s in sure),
    )


def _table(runs: "Runs", by: Measure, keys: list[str]) -> ReportTable:
    facts = runs.trials[[KEY, "number", "method", T]]
    rows = runs.megabatches[runs.megabatches[KEY].isin(keys)].merge(facts, on=KEY, how="left")
    rows = rows.sort_values([T, "number", STEP])
    names = ["number", "method", T, STEP, "stream_fraction", by.curve, "density"]
    return replace(table("Values of the figures", rows, names), folded=True)
