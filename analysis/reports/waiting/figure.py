"""Service error against compute, policy by policy."""

from collections.abc import Sequence

from analysis.figures.figure import Axis, Figure, Panel, Series
from analysis.reports.waiting.judging import Answer, JudgedPolicy
from analysis.reports.waiting.policies import Every, Growth, UntilNoBetter
from analysis.wording import percent, size

_KINDS = (
    (Every, "every so many arrivals"),
    (Growth, "by growth"),
    (UntilNoBetter, "until no better"),
)


def waiting_figure(name: str, words: str, found: Answer) -> Figure:
    """A point a policy on the half of the holdout that judges, and the front that was chosen.

    Args:
        name: The figure's.
        words: What was replayed.
        found: What came of it.
    """
    lines = [_series("best sets of arrivals", found.front, hue=0, mark="line")]
    for place, (kind, title) in enumerate(_KINDS, start=1):
        own = [one for one in found.rules if isinstance(one.weighed.policy, kind)]
        if own:
            lines.append(_series(title, own, hue=place))
    lines.append(_series("judged", found.candidates, hue=0, ringed=True))
    lines.append(_series("at every arrival", (found.every,), hue=4, ringed=True))
    return Figure(
        name=name,
        title=f"What waiting costs and saves: {words}",
        caption=(
            "Service error against the training FLOPs of a policy, as a share of those of "
            "training at every arrival. All points are of seeds and examples that did not "
            "choose them; ringed ones were tested against training at every arrival."
        ),
        x=Axis("training FLOPs, of those at every arrival"),
        panels=(
            Panel(Axis("service error", from_zero=False), tuple(line for line in lines if line.x)),
        ),
    )


def _series(
    title: str,
    policies: Sequence[JudgedPolicy],
    *,
    hue: int,
    mark: str = "points",
    ringed: bool = False,
) -> Series:
    return Series(
        name=title,
        x=tuple(one.weighed.compute for one in policies),
        y=tuple(one.weighed.service for one in policies),
        hover=tuple(_hover(one) for one in policies),
        hue=hue,
        mark="line" if mark == "line" else "points",
        symbol=hue,
        ringed=ringed,
    )


def _hover(one: JudgedPolicy) -> str:
    return (
        f"{one.weighed.policy.words}\n{size(one.weighed.compute)} of the compute\n"
        f"service error {percent(one.weighed.service)}"
    )
