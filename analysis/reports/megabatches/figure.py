"""What T buys, as a figure."""

from collections.abc import Sequence

from analysis.comparison.measure import Measure
from analysis.comparison.stream_lengths import AtLength
from analysis.figures.figure import Axis, Figure, Panel, Series
from analysis.runs.frames import GAP
from analysis.statistics.summary import mean_interval
from analysis.wording import label, percent, size

_MAX_LINES = 8


def length_figure(found: Sequence[AtLength], measure: Measure) -> Figure:
    """Errors and gap against T, a line a configuration: those that served best, if one may choose.

    On the test split it is the first of them.
    """
    served: dict[int, float] = {}
    for at in found:
        mean = float(at.trials[measure.service].mean())
        served[at.family] = min(served.get(at.family, float("inf")), mean)
    ranked = sorted(served, key=lambda family: served[family]) if measure.may_select else served
    chosen = list(ranked)[:_MAX_LINES]
    models = list(dict.fromkeys(at.trials["architecture"].iloc[0] for at in found))
    panels = []
    for name in (measure.service, measure.on_split("anytime_error"), measure.final, GAP):
        lines = []
        for family in chosen:
            own = sorted((at for at in found if at.family == family), key=lambda at: at.t)
            lines.append(_line(own, name, models))
        shown = tuple(line for line in lines if line.x)
        if shown:
            panels.append(Panel(Axis(label(name), from_zero=name != GAP), shown))
    which = f"{_MAX_LINES} that served best" if measure.may_select else f"first {_MAX_LINES}"
    left = f" The {which} are drawn." if len(served) > _MAX_LINES else ""
    return Figure(
        name="megabatches",
        title="What T buys",
        caption=(
            "Means over seeds with their 95 % intervals, a line for each "
            f"configuration that ran at several T.{left}"
        ),
        x=Axis("number of megabatches T", percent=False),
        panels=tuple(panels) or (Panel(Axis(label(measure.service)), ()),),
    )


def _line(own: Sequence[AtLength], name: str, models: Sequence[str]) -> Series:
    first = own[0].trials.iloc[0]
    title = f"{own[0].arm}, {size(first['density'])}"
    title += f", {first['architecture']}" if len(models) > 1 else ""
    known = [
        (at.t, [float(v) for v in at.trials[name].dropna()])
        for at in own
        if at.trials[name].notna().any()
    ]
    means = [sum(values) / len(values) for _, values in known]
    spreads = [mean_interval(values) for _, values in known]
    sure = [s for s in spreads if s is not None] if all(spreads) else []
    return Series(
        name=title,
        x=tuple(float(t) for t, _ in known),
        y=tuple(means),
        hover=tuple(
            f"{title}\nT = {t}: {percent(m)}" for (t, _), m in zip(known, means, strict=True)
        ),
        method=str(first["method"]),
        mark="line",
        dash=models.index(first["architecture"]),
        low=tuple(s.low for s in sure),
        high=tuple(s.high for s in sure),
    )
