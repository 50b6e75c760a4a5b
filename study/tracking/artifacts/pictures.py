"""A trial drawn for MLflow's artifact view: error along the stream, and density by layer."""

import io
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from study.results import TrialHistory
from study.tracking.names import ANYTIME_FIGURE, LAYERS_FIGURE

_ERRORS: Final = {"holdout_error_rate": "holdout", "test_error_rate": "test"}
_MAX_NAMED_LAYERS: Final = 40


def trial_pictures(title: str, history: TrialHistory) -> dict[str, bytes]:
    """Artifact → SVG, of those that there is something to draw for."""
    made = {ANYTIME_FIGURE: _anytime(title, history), LAYERS_FIGURE: _layers(title, history)}
    return {artifact: _svg(figure) for artifact, figure in made.items() if figure is not None}


def _anytime(title: str, history: TrialHistory) -> Figure | None:
    """The error rate of what is in service, a step at each arrival."""
    drawn = {
        name: [m.metrics[name] for m in history.megabatches]
        for name in _ERRORS
        if history.megabatches and all(name in m.metrics for m in history.megabatches)
    }
    if not drawn:
        return None
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    arrived = [m.stream_fraction for m in history.megabatches]
    for name, values in drawn.items():
        axes.step(arrived, values, where="post", marker="o", label=f"{_ERRORS[name]} error rate")
    density = [m.metrics.get("density", float("nan")) for m in history.megabatches]
    axes.step(arrived, density, where="post", color="0.6", linestyle="--", label="density")
    axes.set(xlabel="share of the stream that has arrived", xlim=(0, 1.02), title=title)
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def _layers(title: str, history: TrialHistory) -> Figure | None:
    """Kept fraction of each prunable tensor of the last model, input first."""
    if not history.megabatches or not history.megabatches[-1].layers:
        return None
    layers = history.megabatches[-1].layers
    figure = Figure(figsize=(6.4, max(2.4, 0.9 + 0.18 * len(layers))), layout="constrained")
    axes = figure.subplots()
    rows = range(len(layers))
    axes.barh(rows, [layer.density for layer in layers])
    if len(layers) <= _MAX_NAMED_LAYERS:
        axes.set_yticks(rows, [layer.layer for layer in layers], fontsize=7)
    axes.invert_yaxis()
    axes.set(xlabel="density", xlim=(0, 1), title=title)
    return figure


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    # Equal histories give equal files.
    with mpl.rc_context({"svg.hashsalt": "study", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
