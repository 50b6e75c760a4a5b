"""Comparisons of methods as a figure."""

from collections.abc import Sequence

from analysis.comparison.comparisons import Comparison
from analysis.comparison.dense_baseline import DENSE
from analysis.figures.figure import Axis, Figure, Panel, Series
from analysis.presentation.method_differences import with_sign
from analysis.statistics.summary import Interval
from analysis.wording import label
from study.metrics import METRICS
from study.text import count

_MAX_FOREST = 30


def forest_plot(
    name: str, pooled: Sequence[Comparison], single: Sequence[Comparison], metric: str
) -> Figure:
    """Each comparison a row: its difference with the interval, grey points for configurations."""
    pooled = pooled[:_MAX_FOREST]
    by_model = all(c.architecture for c in pooled)

    def key(c: Comparison) -> tuple[str, ...]:
        level = c.density if c.b == DENSE else ""
        return (c.a, c.b, level, c.architecture if by_model else "")

    rows = {key(c): i for i, c in enumerate(pooled)}
    has_architectures = by_model and len({c.architecture for c in pooled}) > 1
    labels = tuple(
        f"{c.a} − {c.b}"
        + (f", {c.density}" if c.density else "")
        + (f", {c.architecture}" if has_architectures else "")
        for c in pooled
    )
    grey = [(rows[key(c)], c) for c in single if key(c) in rows]
    series = [
        Series(
            "single configurations",
            x=tuple(c.result.estimate for _, c in grey),
            y=tuple(float(place) for place, _ in grey),
            hover=tuple(_hover(c, metric) for _, c in grey),
        )
    ]
    series += [_row(c, float(place), metric) for place, c in enumerate(pooled)]
    return Figure(
        name=name,
        title=f"Differences in {label(metric)}",
        caption=(
            "Mean over configurations of the mean difference within pairs of one seed, with its "
            "95 % interval where there are pairs enough for one (six); left of zero the first of "
            "the two is lower. Grey points are single configurations."
        ),
        x=Axis(f"difference in {label(metric)}", percent=METRICS[metric].is_fraction),
        panels=(Panel(Axis("", percent=False, labels=labels, from_zero=False), tuple(series)),),
    )


def _row(c: Comparison, place: float, metric: str) -> Series:
    interval = c.result.interval() or Interval(c.result.estimate, c.result.estimate)
    return Series(
        c.a,
        x=(c.result.estimate,),
        y=(place,),
        hover=(_hover(c, metric),),
        method=c.a.partition(",")[0],
        mark="intervals",
        ringed=True,
        low=(interval.low,),
        high=(interval.high,),
    )


def _hover(c: Comparison, metric: str) -> str:
    lines = [f"{c.a} − {c.b}"]
    lines += [
        text for text in (c.density and f"{c.density} of the weights", c.architecture) if text
    ]
    lines += [f"T = {c.num_megabatches}"] if c.num_megabatches else []
    estimate = with_sign(c.result.estimate, metric)
    lines.append(f"{estimate}, {count(c.result.num_pairs, 'pair')}")
    return "\n".join(lines)
