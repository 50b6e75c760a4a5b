"""What a search had found beside what fresh seeds say, as a figure."""

from analysis.comparison.fresh_seeds import Arm, Confirmation
from analysis.figures.figure import Axis, Figure, Panel, Series
from analysis.reports.confirmed.sentences import arm_sentence, baseline_sentence
from analysis.wording import label, size
from study.metrics import METRICS


def searched_and_confirmed(name: str, found: Confirmation) -> Figure:
    """A row an arm: its mean over fresh seeds with the interval, and the search's figure."""
    arms = list(found.arms)
    series = [_fresh(arm, float(place)) for place, arm in enumerate(arms)]
    series.append(  # on top: it may lie within an interval
        Series(
            "found by the search",
            x=tuple(arm.searched for arm in arms if arm.searched is not None),
            y=tuple(float(i) for i, arm in enumerate(arms) if arm.searched is not None),
            hover=tuple(_hover(arm) for arm in arms if arm.searched is not None),
            symbol=2,
            ringed=True,
        )
    )
    labels = tuple(f"{arm.name}, {size(arm.trials['density'].mean())}" for arm in arms)
    metric = label(found.metric)
    return Figure(
        name=name,
        title=f"{metric.capitalize()}: searched and confirmed",
        caption=(
            "Mean over the fresh seeds, with its 95 % interval; a diamond is "
            "what the search had found with its own seed. Rows without one are baselines."
        ),
        x=Axis(metric, percent=METRICS[found.metric].is_fraction),
        panels=(Panel(Axis("", percent=False, labels=labels, from_zero=False), tuple(series)),),
    )


def _fresh(arm: Arm, place: float) -> Series:
    mean, interval = arm.mean, arm.interval
    return Series(
        str(arm.first["method"]),
        x=(mean,),
        y=(place,),
        hover=(_hover(arm),),
        method=str(arm.first["method"]),
        mark="intervals",
        ringed=True,
        low=(interval.low if interval else mean,),
        high=(interval.high if interval else mean,),
    )


def _hover(arm: Arm) -> str:
    """The arm's sentence, a part a line."""
    sentence = arm_sentence(arm) if arm.number is not None else baseline_sentence(arm)
    return sentence.rstrip(".").replace(": ", "\n", 1).replace(", where", ",\nwhere")
