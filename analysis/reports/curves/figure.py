"""Streams drawn and listed."""

from collections.abc import Sequence

from analysis.comparison.measure import Measure
from analysis.figures.figure import HELD, Axis, Figure, Panel, Series
from analysis.presentation.report import Column, ReportTable, Value
from analysis.presentation.tables import cell, listed_by, span, value_columns
from analysis.reports.curves.streams import Stream
from analysis.runs.frames import GAP, STEP, T
from analysis.wording import percent, size


def figure(
    name: str, title: str, lines: Sequence[Stream], measure: Measure, *, top: float
) -> Figure:
    """Error, gap and density below one another; ``top`` is where every error axis ends."""
    gaps = tuple(line for s in lines if (line := _line(s, "gap", lines)).x)
    return Figure(
        name=name,
        title=title,
        caption=(
            f"Error rate on {measure.split}, generalization gap and weights kept after each "
            f"megabatch. Where a configuration was run with several seeds, the line is their mean "
            f"and the shade its 95 % interval."
        ),
        # Waiting for the first model counts: the axis starts with the stream.
        x=Axis("stream arrived", span=(0.0, 1.0 + HELD)),
        panels=(
            Panel(
                Axis("error rate", span=(0.0, top)), tuple(_line(s, "error", lines) for s in lines)
            ),
            *((Panel(Axis("generalization gap", from_zero=False), gaps),) if gaps else ()),
            Panel(
                Axis("weights kept", span=(0.0, 1.04)),
                tuple(_line(s, "density", lines) for s in lines),
            ),
        ),
        half_width=True,
    )


def _line(stream: Stream, what: str, lines: Sequence[Stream]) -> Series:
    points = list(stream.points[what].values())
    # Two criteria under one schedule share its colour, and differ in their dashes.
    same = [s.arm for s in lines if s.method == stream.method]
    words = size if what == "density" else percent
    spreads = [point.interval for point in points]
    sure = [s for s in spreads if s is not None] if all(spreads) else []
    least = -1.0 if what == "gap" else 0.0
    return Series(
        name=stream.name,
        x=tuple(point.stream_fraction for point in points),
        y=tuple(point.mean for point in points),
        hover=tuple(f"{stream.name}\n{words(point.mean)}" for point in points),
        method=stream.method,
        mark="steps",
        dash=same.index(stream.arm),
        low=tuple(max(least, s.low) for s in sure),
        high=tuple(min(1.0, s.high) for s in sure),
    )


def values_table(lines: Sequence[Stream], measure: Measure) -> ReportTable:
    """A row a line and megabatch."""
    metrics = {"error": measure.curve, "gap": GAP, "density": "density"}
    columns = [
        *listed_by("arm", "architecture", T),
        Column("final_density", "final density", "percent"),
    ]
    columns += [*listed_by("seeds"), Column(STEP, "megabatch index", "integer")]
    columns.append(Column("stream_fraction", "stream arrived", "percent"))
    for name in metrics.values():
        columns += value_columns(name)
    rows = [row for stream in lines for row in _rows(stream, metrics)]
    return ReportTable("Values of the figures", tuple(columns), tuple(rows), folded=True)


def _rows(stream: Stream, metrics: dict[str, str]) -> list[tuple[Value, ...]]:
    density = cell(stream.trials["density"].iloc[0])
    made = []
    for step, error in stream.points["error"].items():
        row: list[Value] = [stream.arm, stream.architecture, stream.num_megabatches, density]
        row += [error.num_seeds, step, error.stream_fraction]
        for what, name in metrics.items():
            point = stream.points[what].get(step)
            row += [point.mean, span(point.interval, name)] if point else [None, None]
        made.append(tuple(row))
    return made
