"""Figures of a search: the best so far, and fronts through time."""

from typing import TYPE_CHECKING

from analysis.comparison.measure import Measure, measure_of
from analysis.figures.figure import Axis, Figure, Panel, Series
from analysis.presentation.hover import hover_texts
from analysis.reports.search.progress import MOMENTS, front, in_service, progress
from analysis.wording import label, percent
from study.metrics import METRICS
from study.results import Outcome
from study.text import count

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


def progress_figures(parts: "tuple[Runs, ...]", metric: str) -> tuple[Figure, ...]:
    """The best so far against trials, and against the examples trained on."""
    made = []
    for x, title, words in (
        ("place", "trials", "The best so far against trials"),
        ("examples", label("samples_seen"), "The best so far against compute"),
    ):
        series = [one for hue, part in enumerate(parts) for one in _path(part, metric, x, hue)]
        made.append(
            Figure(
                name=f"search-{'trials' if x == 'place' else 'compute'}",
                title=words,
                caption=(
                    "Steps are the best finished trial so far, points the trials; grey ones did "
                    "not finish: they show the projected value and never count as the best."
                ),
                x=Axis(title, percent=False),
                panels=(
                    Panel(
                        Axis(label(metric), percent=METRICS[metric].is_fraction, from_zero=False),
                        tuple(series),
                    ),
                ),
                half_width=True,
            )
        )
    return tuple(made)


def _path(runs: "Runs", metric: str, x: str, hue: int) -> list[Series]:
    measure = measure_of(runs)
    rows = progress(runs, metric)
    measured = rows[rows["best"].notna()]
    name = f"best so far, {runs.study.name}"
    steps = Series(
        name,
        x=tuple(measured[x].astype(float)),
        y=tuple(measured["best"].astype(float)),
        hover=tuple(
            f"{name}\n{count(place, 'trial')}, {examples:,.0f} examples\n{best:.4g}"
            for place, examples, best in zip(
                measured["place"], measured["examples"], measured["best"], strict=True
            )
        ),
        hue=hue,
        mark="steps",
    )
    value = runs.so_far(metric)
    made = [steps]
    for finished in (True, False):
        trials = runs.trials[
            ((runs.trials["outcome"] == Outcome.COMPLETE) == finished) & value.notna()
        ]
        if trials.empty:
            continue
        made.append(
            Series(
                f"trials, {runs.study.name}" if finished else "not finished",
                x=tuple(rows.loc[trials.index, x].astype(float)),
                y=tuple(value[trials.index].astype(float)),
                hover=hover_texts(trials, measure, []),
                trials=tuple(map(int, trials["number"])),
                hue=hue if finished else None,
            )
        )
    return made


def moment_figures(runs: "Runs", measure: Measure) -> tuple[Figure, ...]:
    """Error against weights kept, and against FLOPs, of what was in service as time went on."""
    made = []
    for name, title in (
        ("weights", "weights kept"),
        ("forward_flops_sparse", "FLOPs of an image"),
    ):
        series = []
        for hue, moment in enumerate(MOMENTS):
            models = in_service(runs, measure.curve, moment)
            best = front(models[models[name].notna()], [name, "error"])
            if best.empty:
                continue
            series.append(
                Series(
                    f"at {percent(moment)} of the stream",
                    x=tuple(best[name].astype(float)),
                    y=tuple(best["error"].astype(float)),
                    hover=tuple(
                        f"trial {row['number']}: {row['title']}\nerror {percent(row['error'])}\n"
                        f"{title} {row[name]:,.4g}"
                        for _, row in best.iterrows()
                    ),
                    hue=hue,
                    mark="line",
                )
            )
        if series:
            made.append(
                Figure(
                    name=f"moments-{name.partition('_')[0]}",
                    title=f"Fronts through time: error against {title}",
                    caption=(
                        "Pareto fronts of the models that finished trials had in service at that "
                        "moment."
                    ),
                    x=Axis(title, percent=False, log=True),
                    panels=(Panel(Axis(f"error rate ({measure.split})"), tuple(series)),),
                    half_width=True,
                )
            )
    return tuple(made)
