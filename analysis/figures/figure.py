"""What a figure shows, as data: computed by reports, drawn by :mod:`analysis.figures.drawing`."""

from dataclasses import dataclass
from typing import Literal

Mark = Literal["points", "line", "steps", "intervals"]

# For how much of the x axis the last of a line's steps is held.
HELD = 0.06


@dataclass(frozen=True)
class Axis:
    """One axis. ``percent`` shows fractions as percent; ``log`` is logarithmic.

    ``span`` fixes its ends, so that figures side by side can be compared. ``labels`` stand at the
    positions 0, 1, … of an axis of names, from the top or the left. ``from_zero`` has an upright
    axis show 0 always.
    """

    title: str
    percent: bool = True
    log: bool = False
    span: tuple[float, float] | None = None
    labels: tuple[str, ...] = ()
    from_zero: bool = True


@dataclass(frozen=True)
class Series:
    r"""Points or a line, in one colour.

    Attributes:
        name: Its words in the legend; series of the same name share one entry.
        x: Positions, in the axis's units.
        y: Values, as many as ``x``.
        hover: What pointing at each says, lines parted by ``\n``; as many as ``x``, or empty.
        method: Whose colour it takes; empty for grey, which stands for what does not count.
        hue: Index of a colour, for what is no pruning schedule; None for that of ``method``.
        mark: Points, a line, steps that hold each value until the next x, or points of which each
            has its interval as a whisker along x.
        symbol: Index of the points' shape.
        dash: Index of the line's dash pattern.
        ringed: Points drawn larger, with an outline.
        low: Lower end of an interval around ``y``, or around the ``x`` of ``intervals``; empty for
            none.
        high: Upper end.
        trials: Numbers of the trials that the points are, as many as ``x``; empty for what is
            none. Pressing one opens its run in MLflow, where that is on the web.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    hover: tuple[str, ...] = ()
    method: str = ""
    hue: int | None = None
    mark: Mark = "points"
    symbol: int = 0
    dash: int = 0
    ringed: bool = False
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    trials: tuple[int, ...] = ()


@dataclass(frozen=True)
class Band:
    """A horizontal stripe with a line in it: a baseline's value and its interval."""

    value: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    y: Axis
    series: tuple[Series, ...]
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True)
class Figure:
    """Panels below one another over a common x.

    Attributes:
        name: Unique on the page, letters, digits and hyphens.
        title: A short heading.
        caption: What is seen, for those who cannot see it too.
        x: The common x axis.
        panels: From the top.
        half_width: Whether two fit side by side.
    """

    name: str
    title: str
    caption: str
    x: Axis
    panels: tuple[Panel, ...]
    half_width: bool = False
