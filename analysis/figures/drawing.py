"""Figures as Plotly draws them, in a light and a dark dress."""

import html
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis.figures.figure import HELD, Axis, Figure, Panel, Series

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Theme:
    """Colours that a page's background asks for."""

    ink: str
    faint: str
    grid: str
    ground: str


LIGHT = Theme(ink="#1c2430", faint="#9aa3ae", grid="#e4e7eb", ground="#ffffff")
DARK = Theme(ink="#e3e7ec", faint="#6b7683", grid="#2d353f", ground="#171c22")

# Okabe and Ito's colours, which all kinds of colour vision tell apart; dense takes the ink's.
_PALETTE = {
    "app": "#2f86d1",
    "one_shot": "#e69f00",
    "geometric": "#009e73",
    "linear": "#d55e00",
    "cubic": "#cc79a7",
}
_OTHERS = ("#56b4e9", "#b8a600", "#9467bd", "#8c6d4f")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
_DASHES = ("solid", "dot", "dash", "dashdot", "longdash")
_PANEL_HEIGHT = 300
_WHOLE_HEIGHT = 460
_LABEL_HEIGHT = 34


def colour(method: str, theme: Theme) -> str:
    """The colour of a pruning schedule, the same in every figure; grey for none."""
    if not method:
        return theme.faint
    if method == "dense":
        return theme.ink
    # A schedule of the user's own has one too, and the same one in every study.
    return _PALETTE.get(method, _OTHERS[sum(method.encode()) % len(_OTHERS)])


def _tint(series: Series, theme: Theme) -> str:
    if series.hue is None:
        return colour(series.method, theme)
    hues = (*_PALETTE.values(), *_OTHERS)
    return hues[series.hue % len(hues)]


def draw(figure: Figure, theme: Theme) -> "go.Figure":
    """The Plotly figure. Every text from outside is escaped, as Plotly reads some HTML in it."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    seen: set[str] = set()
    for place, panel in enumerate(figure.panels, start=1):
        _add_bands(drawn, panel, place, theme)
        for series in panel.series:
            shown = series.name not in seen
            seen.add(series.name)
            for trace in _traces(series, place, shown, theme):
                drawn.add_trace(trace)
    drawn.update_layout(_layout(figure, theme))
    return drawn


def _axis_name(letter: str, place: int) -> str:
    return letter if place == 1 else f"{letter}{place}"


def _traces(series: Series, place: int, shown: bool, theme: Theme) -> "list[go.Scatter]":
    import plotly.graph_objects as go

    tint = _tint(series, theme)
    name = html.escape(series.name)
    common: dict[str, Any] = {
        "x": _held(series).x,
        "yaxis": _axis_name("y", place),
        "legendgroup": name,
        "name": name,
    }
    traces = []
    if series.mark == "intervals":
        common["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [high - x for high, x in zip(series.high, series.x, strict=True)],
            "arrayminus": [x - low for low, x in zip(series.low, series.x, strict=True)],
            "thickness": 2,
            "width": 5,
            "color": tint,
        }
    elif series.low:
        held = _held(series)
        for edge, fill in ((held.low, None), (held.high, "tonexty")):
            traces.append(
                go.Scatter(
                    **common,
                    y=edge,
                    mode="lines",
                    line={"width": 0, "shape": "hv" if series.mark == "steps" else "linear"},
                    fill=fill,
                    fillcolor=_see_through(tint),
                    showlegend=False,
                    hoverinfo="skip",
                )
            )
    as_points = series.mark in ("points", "intervals")
    looks = _points(series, tint, theme) if as_points else _stroke(series, tint)
    texts = [html.escape(text).replace("\n", "<br>") for text in _held(series).hover]
    traces.append(
        go.Scatter(
            **common,
            **looks,
            y=_held(series).y,
            hovertext=texts or None,
            customdata=series.trials or None,
            hovertemplate="%{hovertext}<extra></extra>" if texts else None,
            hoverinfo=None if texts else "skip",
            showlegend=shown,
        )
    )
    return traces


def _held(series: Series) -> Series:
    """Steps reach to the end of the stream's arrival: the last value is held for a moment."""
    if series.mark != "steps" or not series.x:
        return series

    def held(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*values, values[-1]) if values else values

    return replace(
        series,
        x=(*series.x, series.x[-1] + HELD),
        y=held(series.y),
        hover=held(series.hover),
        low=held(series.low),
        high=held(series.high),
    )


def _points(series: Series, tint: str, theme: Theme) -> dict[str, Any]:
    edge = theme.ink if series.ringed else theme.ground
    return {
        "mode": "markers",
        "marker": {
            "color": tint,
            "symbol": _SYMBOLS[series.symbol % len(_SYMBOLS)],
            "size": 13 if series.ringed else 9,
            "opacity": 1 if _counts(series) else 0.55,
            "line": {"color": edge, "width": 2 if series.ringed else 1},
        },
    }


def _stroke(series: Series, tint: str) -> dict[str, Any]:
    return {
        "mode": "lines",
        "line": {
            "color": tint,
            "width": 2.5 if _counts(series) else 1.2,
            "dash": _DASHES[series.dash % len(_DASHES)],
            "shape": "hv" if series.mark == "steps" else "linear",
        },
    }


def _counts(series: Series) -> bool:
    return bool(series.method) or series.hue is not None


def _see_through(tint: str) -> str:
    red, green, blue = (int(tint[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _add_bands(drawn: "go.Figure", panel: Panel, place: int, theme: Theme) -> None:
    axis = _axis_name("y", place)
    whole = {"xref": "paper", "x0": 0, "x1": 1, "yref": axis, "layer": "below"}
    for band in panel.bands:
        drawn.add_shape(
            type="rect",
            y0=band.low,
            y1=band.high,
            fillcolor=_see_through(theme.ink),
            line={"width": 0},
            **whole,
        )
        drawn.add_shape(
            type="line",
            y0=band.value,
            y1=band.value,
            line={"color": theme.ink, "width": 1, "dash": "dot"},
            **whole,
        )
        drawn.add_annotation(
            text=html.escape(band.text),
            xref="paper",
            x=0.005,
            xanchor="left",
            yref=axis,
            y=band.high,
            yanchor="bottom",
            showarrow=False,
            font={"size": 12, "color": theme.ink},
        )


def _layout(figure: Figure, theme: Theme) -> dict[str, Any]:
    panels = len(figure.panels)
    height = _WHOLE_HEIGHT if panels == 1 else _PANEL_HEIGHT * panels
    if labels := max(len(panel.y.labels) for panel in figure.panels):
        height = _LABEL_HEIGHT * labels + 170
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 16, "b": 48},
        "paper_bgcolor": theme.ground,
        "plot_bgcolor": theme.ground,
        "font": {"color": theme.ink, "size": 13, "family": "system-ui, sans-serif"},
        # At the foot, below the title of the x axis: on a narrow screen it takes more lines.
        "legend": {
            "orientation": "h",
            "xref": "container",
            "x": 0,
            "xanchor": "left",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
        },
        "hoverlabel": {"align": "left"},
        "hovermode": "closest",
        "xaxis": {
            **_axis(figure.x, theme),
            "anchor": _axis_name("y", panels),
            # Differences are read from where there is none.
            "zeroline": bool(labels),
            "zerolinecolor": theme.ink,
        },
    }
    gap = 0.08 if panels > 1 else 0.0
    share = (1 - gap * (panels - 1)) / panels
    for place, panel in enumerate(figure.panels, start=1):
        top = 1 - (place - 1) * (share + gap)
        key = "yaxis" if place == 1 else f"yaxis{place}"
        layout[key] = {
            **_axis(panel.y, theme, upright=True),
            "domain": [max(0.0, top - share), top],
            "rangemode": "tozero" if panel.y.from_zero else "normal",
        }
    return layout


def _axis(axis: Axis, theme: Theme, *, upright: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {
        "title": {"text": html.escape(axis.title)},
        "gridcolor": theme.grid,
        "linecolor": theme.faint,
        "zeroline": False,
        "automargin": True,
    }
    if axis.percent:
        made["tickformat"] = "~%"  # 7.5%, and 10% without a point
    if axis.labels:
        positions = list(range(len(axis.labels)))
        made |= {
            "tickmode": "array",
            "tickvals": positions,
            "ticktext": [html.escape(text) for text in axis.labels],
            # The first name stands on top, or on the left.
            "range": [len(positions) - 0.5, -0.5] if upright else [-0.5, len(positions) - 0.5],
        }
    if axis.span:
        made["range"] = [math.log10(end) for end in axis.span] if axis.log else list(axis.span)
    if axis.log:
        made["type"] = "log"
    if axis.log and axis.percent:
        made["tickvals"] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
    return made
