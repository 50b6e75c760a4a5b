"""Figures of very many points, drawn with fewer of them; their data keeps all."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from analysis.figures.figure import Figure, Series

MAX_POINTS = 2000


def thinned(figure: Figure) -> Figure:
    """The figure as it is drawn; of more than :data:`MAX_POINTS` points its caption says so.

    Evenly many of each cloud's points are left out, never its outermost ones, nor those that are
    ringed. Of a line of as many steps only those stay at which it moves, which looks the same.
    """
    clouds = [s for panel in figure.panels for s in panel.series if _is_cloud(s)]
    total = sum(len(cloud.x) for cloud in clouds)
    every = max(1, -(-total // MAX_POINTS))
    panels = tuple(
        replace(panel, series=tuple(_fewer(series, every) for series in panel.series))
        for panel in figure.panels
    )
    if every == 1:
        return replace(figure, panels=panels)
    drawn = sum(len(s.x) for panel in panels for s in panel.series if _is_cloud(s))
    part = f"{drawn:,} of {total:,} points are drawn; the data has all of them."
    return replace(figure, panels=panels, caption=f"{figure.caption} {part}")


def _is_cloud(series: Series) -> bool:
    return series.mark == "points" and not series.ringed and len(series.x) > 0


def _fewer(series: Series, every: int) -> Series:
    if _is_cloud(series) and every > 1:
        outermost = {
            end(range(len(series.x)), key=values.__getitem__)
            for values in (series.x, series.y)
            for end in (min, max)
        }
        return _only(series, sorted({*range(0, len(series.x), every), *outermost}))
    if series.mark == "steps" and len(series.x) > MAX_POINTS and not series.low:
        moved = [i + 1 for i, (a, b) in enumerate(itertools.pairwise(series.y)) if a != b]
        return _only(series, sorted({0, *moved, len(series.x) - 1}))
    return series


def _only(series: Series, indices: Sequence[int]) -> Series:
    return replace(
        series,
        x=tuple(series.x[i] for i in indices),
        y=tuple(series.y[i] for i in indices),
        hover=tuple(series.hover[i] for i in indices) if series.hover else (),
        trials=tuple(series.trials[i] for i in indices) if series.trials else (),
    )
