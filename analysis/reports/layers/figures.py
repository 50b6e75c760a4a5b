"""Figures of the sparsity ledger: layers over depth, and along the stream."""

from typing import TYPE_CHECKING

from analysis.figures.figure import HELD, Axis, Figure, Panel, Series
from analysis.runs.frames import KEY, STEP
from analysis.wording import percent

if TYPE_CHECKING:
    import pandas as pd

MAX_STREAMS = 4
_MAX_LINES = 8


def ledger_figures(
    rows: "pd.DataFrame",
    groups: "list[pd.DataFrame]",
    means: "list[tuple[str, pd.DataFrame]]",
) -> tuple[Figure, ...]:
    """Layers over depth for each group of trials, and along the stream for the first of them.

    Args:
        rows: The ledger, see :func:`analysis.reports.layers.ledger.ledger`.
        groups: Trials of one configuration each.
        means: Their names and their layers at the end of the stream.
    """
    if not means:
        return ()
    streams = [
        _stream(rows[rows[KEY] == group[KEY].iloc[0]], name, place)
        for place, (group, (name, _)) in enumerate(
            list(zip(groups, means, strict=True))[:MAX_STREAMS]
        )
    ]
    return (_over_depth(means), *streams)


def _over_depth(means: "list[tuple[str, pd.DataFrame]]") -> Figure:
    panels = []
    lowest = min(
        float(layers.loc[layers[metric] > 0, metric].min())
        for _, layers in means
        for metric in ("density", "effective_density")
        if (layers[metric] > 0).any()
    )
    # At least from a tenth to all, so that there are marks to read it by.
    span = (min(0.1, 0.8 * lowest), 1.1)
    for metric, title in (("density", "kept"), ("effective_density", "kept, on a path")):
        series = tuple(
            _depth_series(name, layers[layers[metric] > 0], metric, hue)
            for hue, (name, layers) in enumerate(means)
            if (layers[metric] > 0).any()
        )
        if series:
            panels.append(Panel(Axis(title, log=True, span=span, from_zero=False), series))
    return Figure(
        name="layers-depth",
        title="Weights kept over depth, at the end of the stream",
        caption=(
            "Layers of any network side by side: 0 is its first prunable layer, 1 its last. One "
            "configuration of each method and network, of those whose density is nearest to the "
            "middle of the study's; means over seeds. Layers with no weight left are in the table "
            "alone."
        ),
        x=Axis("relative depth", percent=False, span=(-0.03, 1.03)),
        panels=tuple(panels),
    )


def _depth_series(name: str, layers: "pd.DataFrame", metric: str, hue: int) -> Series:
    return Series(
        name=name,
        x=tuple(layers["depth"].astype(float)),
        y=tuple(layers[metric].astype(float)),
        hover=tuple(_hover(name, row) for _, row in layers.iterrows()),
        hue=hue,
        mark="line",
        dash=hue // 8,
    )


def _hover(name: str, row: "pd.Series") -> str:
    lines = [
        name,
        f"{row['layer']}: {row['num_weights']:,.0f} weights",
        f"intended {percent(row['intended_density'])}",
        f"kept {percent(row['density'])}",
    ]
    if row["effective_density"] == row["effective_density"]:
        lines.append(f"on a path {percent(row['effective_density'])}")
    return "\n".join(lines)


def _stream(rows: "pd.DataFrame", name: str, place: int) -> Figure:
    layers = list(dict.fromkeys(rows["layer"]))
    step = max(1, -(-len(layers) // _MAX_LINES))
    shown = layers[::step] if layers[-1] in layers[::step] else [*layers[::step], layers[-1]]
    series = []
    for hue, layer in enumerate(shown):
        mine = rows[rows["layer"] == layer]
        series.append(
            Series(
                name=f"{layer}",
                x=tuple(mine["stream_fraction"]),
                y=tuple(mine["density"].astype(float)),
                hover=tuple(
                    _hover(f"megabatch {row[STEP] + 1}", row) for _, row in mine.iterrows()
                ),
                hue=hue,
                mark="steps",
            )
        )
    part = "" if step == 1 else f" {len(shown)} of {len(layers)} layers are drawn."
    return Figure(
        name=f"layers-stream-{place}",
        title=f"Along the stream: {name}",
        caption=f"Weights kept in each layer after each megabatch, trial {rows['number'].iloc[0]}."
        f"{part}",
        x=Axis("stream arrived", span=(0.0, 1.0 + HELD)),
        panels=(Panel(Axis("weights kept", span=(0.0, 1.03)), tuple(series)),),
        half_width=True,
    )
