"""Tables of the front: its trials beside dense, each number of megabatches, how it grew."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import Baselines, num_megabatches, training_differences
from analysis.comparison.matches import Match, by_configuration, smallest_as_good
from analysis.comparison.measure import Measure
from analysis.presentation.against_dense import SIZES
from analysis.presentation.deployed import best_network
from analysis.presentation.report import Column, ReportTable, Value
from analysis.presentation.tables import cell, table
from analysis.runs.frames import T
from analysis.statistics import summary
from study.constraints import TOLERANCE

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_MAX_PARAMS = 5


def with_dense(
    runs: "Runs", shown: "pd.DataFrame", measure: Measure, metrics: Sequence[str]
) -> ReportTable:
    """Trials with what they are judged by, and the dense one that each compares with."""
    params = [name for name in summary.varying(runs.trials) if name != T]
    tuned = [name for name in params if not name.startswith(("data.", "model."))][:_MAX_PARAMS]
    varied = [name for name in ("architecture", "dataset") if runs.trials[name].nunique() > 1]
    wanted = [
        "number",
        "method",
        *varied,
        T,
        *metrics,
        "final_density",
        measure.service,
        measure.final,
    ]
    wanted.append(f"test_{measure.service}")
    # The method and the density have columns of their own.
    wanted += [n for n in tuned if n not in ("pruning.schedule", "pruning.final_density")]
    names = [name for name in dict.fromkeys(wanted) if name in shown]
    plain = table("Trials", shown, names)
    baselines = Baselines(runs, measure)
    dense: list[tuple[Value, Value]] = []
    apart: list[str] = []
    for trial in shown.to_dict("records"):
        baseline = baselines.for_trial(trial)
        dense.append(
            (cell(baseline.trial[measure.service]), (baseline.service.low, baseline.service.high))
            if baseline
            else (None, None)
        )
        apart.append(", ".join(training_differences(trial, baseline.trial)) if baseline else "")
    place = names.index(measure.service) + 1
    extra = (
        Column("dense_service_error", "dense", "percent"),
        Column("dense_interval", "95 % interval", "interval"),
    )
    last = [Column("trained_apart", "trained unlike that dense")] if any(apart) else []
    return ReportTable(
        plain.title,
        (*plain.columns[:place], *extra, *plain.columns[place:], *last),
        tuple(
            (*row[:place], *more, *row[place:], *([words or None] if last else []))
            for row, more, words in zip(plain.rows, dense, apart, strict=True)
        ),
    )


def volumes_table(finished: "pd.DataFrame", volumes: Sequence[float]) -> ReportTable:
    """The trials with which the hypervolume grew."""
    before = (0.0, *volumes)[: len(volumes)]
    rows = tuple(
        (int(number), volume)
        for number, volume, last in zip(finished["number"], volumes, before, strict=True)
        if volume > last
    )
    columns = (Column("number", "trial", "integer"), Column("hypervolume", "so far", "percent"))
    return ReportTable("How the front grew", columns, rows, folded=True)


def per_t(measure: Measure, found: list[Match]) -> ReportTable:
    """For each model and T: dense, the smallest that may be as good, the best at each size."""
    found = by_configuration(found, measure)
    groups: dict[tuple[str, str, int], list[Match]] = {}
    for match in found:
        trial = match.trial
        key = (trial["architecture"], trial["dataset"], num_megabatches(trial))
        groups.setdefault(key, []).append(match)
    varied = len({key[:2] for key in groups}) > 1
    columns = (
        *((Column("architecture", "architecture"), Column("dataset", "data")) if varied else ()),
        Column(T, "T", "integer"),
        Column("dense_service_error", "dense", "percent"),
        Column("dense_interval", "95 % interval", "interval"),
        Column(
            "smallest_density", f"{best_network(measure.sought)} that may be as good", "percent"
        ),
        Column("smallest_method", "its schedule"),
        Column("smallest_service_error", "its service error", "percent"),
        *(
            Column(f"best_at_{words.split()[-1]}", f"best at {words}", "percent")
            for _, words in SIZES
        ),
    )
    rows = [
        (*(key[:2] if varied else ()), key[2], *_row(group, measure))
        for key, group in sorted(groups.items())
    ]
    return ReportTable("At each number of megabatches", columns, tuple(rows))


def _row(group: list[Match], measure: Measure) -> tuple[Value, ...]:
    # Seeds have baselines of their own; the best served stands for them.
    baseline = min((m.baseline for m in group), key=lambda b: float(b.trial[measure.service]))
    smallest = smallest_as_good(group, measure)
    row: list[Value] = [
        cell(baseline.trial[measure.service]),
        (baseline.service.low, baseline.service.high),
        *(
            cell(smallest.trial[name]) if smallest else None
            for name in ("final_density", "method", measure.service)
        ),
    ]
    for limit, _ in SIZES:
        within = [
            float(m.trial[measure.service])
            for m in group
            if m.trial["final_density"] <= limit * (1 + TOLERANCE)
        ]
        row.append(min(within, default=None))
    return tuple(row)
