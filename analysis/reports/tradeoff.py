"""How far one can prune: weights kept against service error."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis import summary
from analysis.baseline import (
    DENSE,
    Match,
    Measure,
    matches,
    measure,
    num_megabatches,
    smallest_as_good,
)
from analysis.comparison import SIZES
from analysis.figure import Axis, Band, Figure, Panel, Series
from analysis.frames import COMPLETE, T
from analysis.hover import hover
from analysis.report import REPORTS, Column, Report, ReportSection, ReportTable, Value
from analysis.tables import cell
from analysis.wording import bounds, percent

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs import Runs

TITLE = "How far can I prune?"


@REPORTS.register("tradeoff")
@dataclass(frozen=True)
class TradeoffReport(Report):
    """Weights kept against service error: the front, and dense with its interval."""

    position: ClassVar[int] = 20

    def build(self, runs: "Runs") -> ReportSection:
        """The figure of all trials, and for each T what dense does and what is as good."""
        by = measure(runs)
        measured = runs.trials[runs.trials[_density(runs)].notna() & _error(runs, by).notna()]
        if measured.empty:
            return ReportSection(TITLE, ("No trial has a service error yet.",))
        found = matches(runs, by)
        return ReportSection(
            TITLE,
            (
                "Each point is a trial: the fewer weights it keeps, the further left; the lower, "
                "the better it served. The ringed ones are the front: no finished trial is as "
                "small and as good.",
            ),
            figures=(_figure(runs, by, measured),),
            tables=(_per_t(by, found),) if found else (),
        )


def _density(runs: "Runs") -> str:
    """The density so far, which at the end is the final one; older records lack it."""
    return "density" if runs.trials["density"].notna().any() else "final_density"


def _error(runs: "Runs", by: Measure) -> "pd.Series":
    """The service error; of trials that did not finish, the one that they were heading for."""
    projected = by.service.replace("service_error", "projected_service_error")
    return runs.trials[by.service].fillna(runs.trials[projected])


def _figure(runs: "Runs", by: Measure, measured: "pd.DataFrame") -> Figure:
    errors, density = _error(runs, by), _density(runs)
    front = summary.pareto_front(
        runs.trials, {by.service: "minimize", "final_density": "minimize"}
    )
    finished = measured["outcome"] == COMPLETE
    params = summary.varying(runs.trials)
    shapes = {t: place for place, t in enumerate(sorted(measured[T].dropna().unique()))}

    def series(trials: "pd.DataFrame", name: str, method: str, ringed: bool = False) -> Series:
        return Series(
            name=name,
            x=tuple(trials[density].astype(float)),
            y=tuple(errors[trials.index].astype(float)),
            hover=tuple(hover(trial, by, params) for _, trial in trials.iterrows()),
            method=method,
            symbol=shapes.get(trials[T].iloc[0], 0),
            ringed=ringed,
        )

    made = []
    if not measured[~finished].empty:
        for _, group in measured[~finished].groupby(T, dropna=False):
            made.append(series(group, "not finished", ""))
    edge = runs.trials[front].sort_values([density, by.service])
    if len(edge) > 1:
        made.append(
            Series(
                "front",
                x=tuple(edge[density].astype(float)),
                y=tuple(edge[by.service].astype(float)),
                mark="line",
                dash=1,
            )
        )
    keys = ["method", T]
    for (method, t), group in measured[finished].groupby(keys, dropna=False):
        for ringed, part in group.groupby(front[group.index]):
            name = f"{method}, T = {t:.0f}" if t == t else str(method)
            made.append(series(part, name, str(method), bool(ringed)))
    return Figure(
        name="tradeoff",
        title="Weights kept against service error",
        caption=(
            "Colour is the pruning schedule, shape the number of megabatches T. Grey points did "
            "not finish; they stand where they were heading and win nothing. The stripe is the "
            "95 % interval of the best dense trial; to call a network as good as dense, the table "
            "below compares at equal T."
        ),
        x=Axis("weights kept", log=True),
        panels=(Panel(Axis(f"service error ({by.split})"), tuple(made), _bands(runs, by)),),
    )


def _bands(runs: "Runs", by: Measure) -> tuple[Band, ...]:
    dense = summary.best(runs.complete[runs.complete["method"] == DENSE], by.service)
    interval = by.interval(dense[by.service]) if dense is not None else None
    if dense is None or interval is None:
        return ()
    value = float(dense[by.service])
    words = f"dense, T = {num_megabatches(dense)}: {percent(value)} {bounds(interval)}"
    return (Band(value, interval.low, interval.high, words),)


def _per_t(by: Measure, found: list[Match]) -> ReportTable:
    """For each model and T: dense, the smallest as good as it, the best at each size."""
    groups: dict[tuple[str, str, int], list[Match]] = {}
    for match in found:
        trial = match.trial
        key = (trial["architecture"], trial["dataset"], num_megabatches(trial))
        groups.setdefault(key, []).append(match)
    several = len({key[:2] for key in groups}) > 1
    columns = (
        *((Column("architecture", "architecture"), Column("dataset", "data")) if several else ()),
        Column(T, "T", "integer"),
        Column("dense_service_error", "dense", "percent"),
        Column("dense_interval", "95 % interval", "interval"),
        Column("smallest_density", "smallest as good as dense", "percent"),
        Column("smallest_method", "its schedule"),
        Column("smallest_service_error", "its service error", "percent"),
        *(
            Column(f"best_at_{words.split()[-1]}", f"best at {words}", "percent")
            for _, words in SIZES
        ),
    )
    rows = [
        (*(key[:2] if several else ()), key[2], *_row(group, by))
        for key, group in sorted(groups.items())
    ]
    return ReportTable("At each number of megabatches", columns, tuple(rows))


def _row(group: list[Match], by: Measure) -> tuple[Value, ...]:
    # Seeds have baselines of their own; the best served stands for them.
    baseline = min((m.baseline for m in group), key=lambda b: float(b.trial[by.service]))
    smallest = smallest_as_good(group, by)
    row: list[Value] = [
        cell(baseline.trial[by.service]),
        (baseline.service.low, baseline.service.high),
        *(
            cell(smallest.trial[name]) if smallest else None
            for name in ("final_density", "method", by.service)
        ),
    ]
    for limit, _ in SIZES:
        within = [
            float(m.trial[by.service])
            for m in group
            if m.trial["final_density"] <= limit * (1 + summary.SIZE_TOLERANCE)
        ]
        row.append(min(within, default=None))
    return tuple(row)
