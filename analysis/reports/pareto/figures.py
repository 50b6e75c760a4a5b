"""Figures of the front: trials against each other, and how the front grew."""

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import DENSE, num_megabatches
from analysis.comparison.measure import Measure
from analysis.figures.figure import Axis, Band, Figure, Panel, Series
from analysis.presentation.deployed import FILE, SPEEDUP
from analysis.presentation.hover import hover_texts
from analysis.runs.frames import T
from analysis.statistics import summary
from analysis.wording import bounds, is_size, listing, on_axis, percent
from study.metrics import METRICS
from study.results import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

# Metric → the two that are the ends of its interval.
_INTERVALS = {n: [f"{n}_low", f"{n}_high"] for n in METRICS if f"{n}_low" in METRICS}
_SAME_FILE = 0.01  # relative: its metadata may be a few bytes more or less
_NOT_FINISHED = 5  # the index of the cross among the symbols


def front_figure(
    runs: "Runs",
    measure: Measure,
    axes: tuple[str, str],
    on_front: "pd.Series | None",
    metrics: Sequence[str],
) -> Figure:
    """All trials by two of the metrics: the front in colour, all others grey.

    Args:
        runs: The study.
        measure: What it is judged by.
        axes: Metric upright, metric across.
        on_front: Whether each trial is on the front; None where nothing may be chosen, so that
            all that finished are in colour.
        metrics: Those that the front is of.
    """
    upright, across = axes
    y = runs.so_far(upright) / on_axis(upright).scale
    x = runs.so_far(across) / on_axis(across).scale
    trials = runs.trials[x.notna() & y.notna()]
    finished = trials["outcome"] == Outcome.COMPLETE
    params = summary.varying(runs.trials)
    lengths = sorted(trials[T].dropna().unique())
    shapes = {t: i if i < _NOT_FINISHED else i + 1 for i, t in enumerate(lengths)}

    ends = runs.trials[_INTERVALS.get(across, [])]

    def series(part: "pd.DataFrame", name: str, method: str = "", symbol: int = 0) -> Series:
        own = ends.loc[part.index]
        # Whiskers of all the grey ones would hide the front.
        measured = bool(method) and not own.empty and bool(own.notna().to_numpy().all())
        low, high = (tuple(own[end]) for end in own) if measured else ((), ())
        return Series(
            name=name,
            x=tuple(x[part.index]),
            y=tuple(y[part.index]),
            hover=hover_texts(part, measure, params),
            trials=tuple(map(int, part["number"])),
            method=method,
            symbol=symbol,
            ringed=bool(method),
            mark="intervals" if measured else "points",
            low=low,
            high=high,
        )

    made = []
    if not finished.all():
        made.append(series(trials[~finished], "not finished", symbol=_NOT_FINISHED))
    shown = finished if on_front is None else on_front[trials.index]
    for _, part in trials[finished & ~shown].groupby(T, dropna=False):
        made.append(series(part, "dominated", symbol=shapes.get(part[T].iloc[0], 0)))
    front = trials[shown]
    if on_front is not None and len(metrics) == 2 and len(front) > 1:
        edge = front.loc[x[front.index].sort_values(kind="stable").index]
        made.append(
            Series("front", x=tuple(x[edge.index]), y=tuple(y[edge.index]), mark="line", dash=1)
        )
    for _, part in front.groupby(["method", T], dropna=False):
        method, t = str(part["method"].iloc[0]), part[T].iloc[0]
        name = f"{method}, T = {t:.0f}" if t == t else method
        made.append(series(part, name, method, shapes.get(t, 0)))
    has_stripe = on_front is not None and upright == measure.service
    stripe = _bands(runs, measure) if has_stripe else ()
    name = on_axis(across).name
    crosses = (
        " Crosses did not finish: they show the projected value and are never on a front."
        if not finished.all()
        else ""
    )
    return Figure(
        name=f"pareto-{across.replace('_', '-')}",
        title=f"{name[0].upper()}{name[1:]} against {on_axis(upright).name}",
        caption=(
            f"Each point is a trial; {_ringed(on_front, metrics)}colour is the pruning schedule, "
            f"shape the number of megabatches T.{crosses}"
            + (
                " Whiskers are 95 % intervals of what was measured; dense is timed against itself."
                if across in _INTERVALS
                else ""
            )
            + (" The band is the 95 % interval of the best dense trial." if stripe else "")
        ),
        x=Axis(
            on_axis(across).title,
            percent=METRICS[across].is_fraction,
            log=is_size(across),
            span=_span(x[trials.index]) if across in _INTERVALS else None,
        ),
        panels=(Panel(_axis(upright, measure), tuple(made), stripe),),
    )


def _span(speedups: "pd.Series") -> tuple[float, float] | None:
    """Where an axis of speed-ups ends: one wide whisker must not push all points together."""
    return (0.0, 1.08 * float(speedups.max())) if len(speedups) else None


def _ringed(on_front: "pd.Series | None", metrics: Sequence[str]) -> str:
    if on_front is None:
        return ""
    front = listing([on_axis(name).name for name in metrics])
    return f"the ringed ones are the front of {front}, grey ones are dominated; "


def _axis(name: str, measure: Measure) -> Axis:
    own = on_axis(name).title
    title = f"{own} ({measure.split})" if name == measure.service else own
    return Axis(title, percent=METRICS[name].is_fraction)


def _bands(runs: "Runs", measure: Measure) -> tuple[Band, ...]:
    dense = summary.best(runs.complete[runs.complete["method"] == DENSE], measure.service)
    interval = measure.interval(dense[measure.service]) if dense is not None else None
    if dense is None or interval is None:
        return ()
    value = float(dense[measure.service])
    words = f"dense, T = {num_megabatches(dense)}: {percent(value)} {bounds(interval)}"
    return (Band(value, interval.low, interval.high, words),)


def deployed_figures(
    runs: "Runs", measure: Measure, drawn: Container[frozenset[str]], *, may_choose: bool
) -> list[Figure]:
    """The service error against what those who deploy the network have of pruning, if measured.

    The front of each is of what it shows.

    Args:
        runs: The study.
        measure: What it is judged by.
        drawn: Couples of metrics that have their figure.
        may_choose: Whether there is a front.
    """
    made = []
    for name in _deployed(runs.complete):
        couple = [measure.service, name]
        if frozenset(couple) in drawn:
            continue
        among = summary.pareto_front(runs.candidates, couple) if may_choose else None
        on_front = None if among is None else among.reindex(runs.trials.index, fill_value=False)
        made.append(front_figure(runs, measure, (measure.service, name), on_front, couple))
    return made


def _deployed(complete: "pd.DataFrame") -> list[str]:
    """A speed-up of two trials, and files that differ: where all are alike no figure says more."""
    speed, files = complete[SPEEDUP.speedup].dropna(), complete[FILE].dropna()
    differ = len(files) > 1 and files.max() - files.min() > _SAME_FILE * files.max()
    return [*([SPEEDUP.speedup] if len(speed) > 1 else []), *([FILE] if differ else [])]


def volume_figure(finished: "pd.DataFrame", volumes: Sequence[float]) -> Figure:
    """The front's hypervolume after each finished trial."""
    numbers = tuple(float(number) for number in finished["number"])
    line = Series(
        "hypervolume",
        x=numbers,
        y=tuple(volumes),
        hover=tuple(f"trial {n:.0f}\n{percent(v)}" for n, v in zip(numbers, volumes, strict=True)),
        method=DENSE,
        mark="steps",
    )
    return Figure(
        name="pareto-hypervolume",
        title="How the front grew",
        caption=(
            "Share of the box between the best conceivable and the worst that the finished trials "
            "so far dominate. Where the line is flat, more trials brought nothing."
        ),
        x=Axis("trial", percent=False),
        panels=(Panel(Axis("hypervolume"), (line,)),),
    )
