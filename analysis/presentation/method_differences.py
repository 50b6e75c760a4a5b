"""Comparisons of methods as sentences, tables and a figure."""

from collections.abc import Sequence

from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.methods import Comparison
from analysis.figures.figure import Axis, Figure, Panel, Series
from analysis.presentation.report import Column, ReportTable, Value
from analysis.presentation.tables import span
from analysis.statistics.paired import SIGNIFICANCE, pairs_needed, smallest_p
from analysis.statistics.summary import Interval
from analysis.wording import bounds, label, points, probability
from study.metrics import METRICS
from study.text import count

_MAX_FOREST = 30


def comparison_sentence(comparison: Comparison, p: float, metric: str, *, family: int) -> str:
    """One comparison in a sentence; ``p`` is adjusted for the ``family`` of them."""
    result = comparison.result
    where = (
        f" at {comparison.density} of the weights" if comparison.density else " at equal density"
    )
    numbers = f"difference {with_sign(result.estimate, metric, result.interval)}"
    basis = f"{count(result.num_pairs, 'pair')} of one seed"
    if result.num_strata > 1:
        basis += f" in {count(result.num_strata, 'configuration')}"
    holm = f" by Holm over {family} comparisons" if family > 1 else ""
    if p >= SIGNIFICANCE:
        return (
            f"{comparison.a} and {comparison.b} are not separable with these seeds{where}: "
            f"{label(metric)} {numbers}, {basis}, {probability(p)}{holm}"
            f"{_too_few(result.num_pairs, family)}.{_range(comparison, metric)}"
        )
    extent = "lower" if result.estimate < 0 else "higher"
    share = result.lower if result.estimate < 0 else 1 - result.lower
    return (
        f"{comparison.a} has a {extent} {label(metric)} than {comparison.b}{where}: {numbers}, "
        f"{extent} in {100 * share:.0f} % of {basis}, {probability(p)}{holm}."
        f"{_range(comparison, metric)}"
    )


def _too_few(num_pairs: int, family: int) -> str:
    if family * smallest_p(num_pairs) < SIGNIFICANCE:
        return ""
    alone = "" if family == 1 else ", before Holm"
    return (
        f"; {count(num_pairs, 'pair')} can give no p below {smallest_p(num_pairs):.2g}{alone}, "
        f"and {pairs_needed(family)} are enough for 0.05"
    )


def _range(comparison: Comparison, metric: str) -> str:
    each = comparison.each
    if len(each) < 2:
        return ""
    return (
        f" In single configurations it ranges from {with_sign(min(each), metric)} to "
        f"{with_sign(max(each), metric)}."
    )


def with_sign(value: float, metric: str, interval: Interval | None = None) -> str:
    """``+1.2 points``, with the interval behind it where there is one."""
    sign = "−" if value < 0 else "+"
    number = sign + (points(value) if METRICS[metric].is_fraction else f"{abs(value):.3g}")
    if interval is None:
        return number
    plain = f"[{interval.low:.3g}, {interval.high:.3g}]"
    return f"{number} {bounds(interval) if METRICS[metric].is_fraction else plain}"


def verdict(comparison: Comparison, p: float, metric: str, *, family: int) -> str:
    """The better one, or that they are not separable, or not by so few pairs."""
    if p >= SIGNIFICANCE:
        is_hopeless = family * smallest_p(comparison.result.num_pairs) >= SIGNIFICANCE
        return "too few pairs" if is_hopeless else "not separable"
    return comparison.a if METRICS[metric].cost(comparison.result.estimate) < 0 else comparison.b


def differences_table(
    title: str,
    comparisons: Sequence[tuple[Comparison, float]],
    metric: str,
    *,
    limit: int | None = None,
) -> ReportTable:
    """A row a comparison, with its p adjusted over all of them; the first ``limit`` are listed."""
    if limit is not None and len(comparisons) > limit:
        title += f", the first {limit} of {len(comparisons):,}"
    is_fraction = METRICS[metric].is_fraction
    unit = " (points)" if is_fraction else ""
    columns = [Column("a", "method"), Column("b", "against"), Column("density", "weights kept")]
    several = any(c.architecture or c.num_megabatches for c, _ in comparisons)
    if several:
        columns += [Column("architecture", "architecture")]
        columns += [Column("stream.num_megabatches", "T", "integer")]
    columns += [
        Column("pairs", "pairs", "integer"),
        Column("configurations", "in", "integer"),
        Column("difference", f"difference{unit}", "points" if is_fraction else "number"),
        Column("interval", "95 % interval", "interval" if is_fraction else "range"),
        Column("lower", "lower in", "percent"),
        Column("d_z", "d_z", "number"),
        Column("p", "p", "number"),
        Column("p_holm", "Holm's p", "number"),
        Column("better", "better"),
    ]
    rows = []
    for comparison, p in comparisons[:limit]:
        result = comparison.result
        row: list[Value] = [comparison.a, comparison.b, comparison.density or "equal"]
        if several:
            row += [comparison.architecture or "several", comparison.num_megabatches]
        row += [result.num_pairs, result.num_strata, result.estimate, span(result.interval)]
        row += [result.lower, result.standardised, result.p, p]
        row.append(verdict(comparison, p, metric, family=len(comparisons)))
        rows.append(tuple(row))
    return ReportTable(title, tuple(columns), tuple(rows))


def forest_plot(
    name: str, pooled: Sequence[Comparison], single: Sequence[Comparison], metric: str
) -> Figure:
    """Each comparison a row: its difference with the interval, grey points for configurations."""
    pooled = pooled[:_MAX_FOREST]
    by_model = all(c.architecture for c in pooled)

    def key(c: Comparison) -> tuple[str, ...]:
        level = c.density if c.b == DENSE else ""
        return (c.a, c.b, level, c.architecture if by_model else "")

    places = {key(c): i for i, c in enumerate(pooled)}
    several = by_model and len({c.architecture for c in pooled}) > 1
    labels = tuple(
        f"{c.a} − {c.b}"
        + (f", {c.density}" if c.density else "")
        + (f", {c.architecture}" if several else "")
        for c in pooled
    )
    grey = [(places[key(c)], c) for c in single if key(c) in places]
    series = [
        Series(
            "single configurations",
            x=tuple(c.result.estimate for _, c in grey),
            y=tuple(float(place) for place, _ in grey),
            hover=tuple(_hover(c, metric) for _, c in grey),
        )
    ]
    for place, c in enumerate(pooled):
        interval = c.result.interval
        assert interval is not None, "a comparison has at least two pairs"
        series.append(
            Series(
                c.a,
                x=(c.result.estimate,),
                y=(float(place),),
                hover=(_hover(c, metric),),
                method=c.a.partition(",")[0],
                mark="intervals",
                ringed=True,
                low=(interval.low,),
                high=(interval.high,),
            )
        )
    return Figure(
        name=name,
        title=f"Differences in {label(metric)}",
        caption=(
            "Interquartile mean of the differences within pairs of one seed, with its 95 % "
            "interval; left of zero the first of the two is lower. Grey points are single "
            "configurations."
        ),
        x=Axis(f"difference in {label(metric)}", percent=METRICS[metric].is_fraction),
        panels=(Panel(Axis("", percent=False, labels=labels, from_zero=False), tuple(series)),),
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
