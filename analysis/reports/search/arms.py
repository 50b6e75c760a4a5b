"""The arms of a search: the best after n trials of each, and which is ahead from where on."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.figures.figure import Axis, Figure, Panel, Series
from analysis.reports.search.proposals import GIVEN, is_marked
from analysis.runs.cache import cached
from analysis.runs.frames import KEY
from analysis.runs.search_space import recorded_domains, search_space
from analysis.statistics.tuning_curves import TuningCurve, ahead, most_decidable, tuning_curve
from analysis.wording import label, listing, quantity
from study.metrics import METRICS
from study.results import ENDED_BY_THEMSELVES, Outcome
from study.text import count
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

# Of all that is said of the arms of one search.
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class ArmCurves:
    """The curves of a search's arms, all over the same numbers of trials.

    Attributes:
        costs: Name of the arm → of each of its proposals, in order, lower is better.
        bands: Name of the arm → its curve with a band; empty where the trials are not independent.
        level: Of each band, so that all hold at once with 1 − LEVEL.
        is_exact: Whether bands are of independent draws, none of which could be drawn again.
    """

    costs: dict[str, tuple[float, ...]]
    bands: dict[str, TuningCurve]
    level: float
    is_exact: bool

    @property
    def num_trials(self) -> int:
        """Of each arm."""
        return min(map(len, self.costs.values()))


def arms_of(runs: "Runs") -> list[str]:
    """Names of the arms, in the order of the study file; empty for a search without."""
    return [name for name in runs.study.params.get(names.PARAM_ARMS, "").split(",") if name]


def _bounds(metric: str) -> tuple[float, float]:
    """Least and largest cost of a metric that is a fraction."""
    low, high = sorted(METRICS[metric].cost(value) for value in (0.0, 1.0))
    return low, high


def _is_independent(runs: "Runs") -> bool:
    """Whether what was tried, and how long, never depended on how other trials went."""
    params = runs.study.params
    return (
        params.get(names.PARAM_SAMPLER) == "random" and params.get(names.PARAM_STOPPING) == "none"
    )


def _may_repeat(runs: "Runs") -> bool:
    """Whether a trial has nothing but choices and steps, so that it may have been drawn again.

    What is drawn again is trained once, and counts as one draw.
    """
    domains = recorded_domains(runs.study)
    each = search_space(runs.study, runs.trials).chosen if domains else ()
    return any(all(_is_finite(domains.get(path)) for path in chosen) for chosen in each)


def _is_finite(domain: Mapping[str, object] | None) -> bool:
    if domain is None or "choices" in domain:
        return domain is not None
    ends = (domain.get("low"), domain.get("high"))
    return bool(domain.get("step")) or all(isinstance(end, int) for end in ends)


@cached
def arm_curves(runs: "Runs", metric: str) -> ArmCurves | None:
    """The curves by a metric that is a fraction; None where an arm has no ended proposal yet.

    Proposals count and points do not: those are no draws. One that failed, was stopped or broke a
    constraint has the worst possible cost.
    """
    arms = arms_of(runs)
    ended = _ended_proposals(runs)
    num_trials = min((int((ended["arm"] == arm).sum()) for arm in arms), default=0)
    if num_trials == 0:
        return None
    bounds = _bounds(metric)
    may_win = (ended["outcome"] == Outcome.COMPLETE) & ended[KEY].isin(list(runs.candidates[KEY]))
    cost = ended[metric].astype(float).map(METRICS[metric].cost).where(may_win).fillna(bounds[1])
    costs = {arm: tuple(cost[ended["arm"] == arm])[:num_trials] for arm in arms}
    level = LEVEL / len(arms)
    bands = (
        {arm: tuning_curve(costs[arm], bounds=bounds, level=level) for arm in arms}
        if _is_independent(runs)
        else {}
    )
    return ArmCurves(costs, bands, level, is_exact=bool(bands) and not _may_repeat(runs))


def _ended_proposals(runs: "Runs") -> "pd.DataFrame":
    """What the sampler proposed and has ended, in order.

    Where runs do not say who proposed them, the points are those before all proposals.
    """
    trials = runs.trials.sort_values("number", kind="stable")
    num_points = int(runs.study.params.get(names.PARAM_NUM_POINTS, "0"))
    is_given = trials["proposed_by"].isin(GIVEN)
    proposed = trials[~is_given] if is_marked(trials) else trials.iloc[num_points:]
    return proposed[proposed["outcome"].isin([*ENDED_BY_THEMSELVES, Outcome.ERROR])]


def arm_sentences(runs: "Runs", metric: str) -> list[str]:
    """What each arm has found, and which are ahead."""
    arms = arms_of(runs)
    if not arms:
        return []
    if not METRICS[metric].is_fraction:
        return [f"Tuning curves of arms are drawn for errors alone, and not for {label(metric)}."]
    found = arm_curves(runs, metric)
    if found is None:
        return ["Not every arm has a trial that has ended."]
    best = [
        f"{arm} {quantity(METRICS[metric].cost(min(costs)), metric)}"
        for arm, costs in found.costs.items()
    ]
    opening = (
        f"The best {label(metric)} after {count(found.num_trials, 'trial')} of each arm: "
        f"{listing(best)}."
    )
    return [opening, *_ahead_sentences(found)]


def _ahead_sentences(found: ArmCurves) -> list[str]:
    if not found.bands:
        return [
            "Which arm is ahead has no exact band here: it holds for settings drawn "
            "independently, so for search.sampler: random with search.stopping: {name: none}."
        ]
    made = []
    for a, b in itertools.permutations(found.bands, 2):
        ns = ahead(found.bands[a], found.bands[b])
        if ns:
            made.append(f"{a} is ahead of {b} at n = {_span(ns)}")
    opening = (
        f"By {_kind(found)} bands ({100 * (1 - LEVEL):g} % for all arms and every n together)"
    )
    if made:
        return [f"{opening}, {'; '.join(made)}.", *_inexact(found)]
    most = most_decidable(found.num_trials, level=found.level)
    reach = (
        f"with {count(found.num_trials, 'trial')} of each they can part arms up to n = {most}"
        if most
        else f"{count(found.num_trials, 'trial')} of each are too few to part arms at any n, "
        f"however far apart"
    )
    return [f"{opening}, no arm is ahead of another at any n: {reach}.", *_inexact(found)]


def _kind(found: ArmCurves) -> str:
    return "exact" if found.is_exact else "approximate"


def _inexact(found: ArmCurves) -> list[str]:
    if found.is_exact:
        return []
    return [
        "Bands are not exact here: settings that are choices and steps alone may be drawn again, "
        "and what is drawn again is trained and counted once."
    ]


def _span(ns: tuple[int, ...]) -> str:
    """Numbers in a row by their ends: ``1 to 4``."""
    rows = [
        [n for _, n in group]
        for _, group in itertools.groupby(enumerate(ns), key=lambda pair: pair[1] - pair[0])
    ]
    return listing([str(row[0]) if len(row) == 1 else f"{row[0]} to {row[-1]}" for row in rows])


def arm_figures(runs: "Runs", metric: str, *, index: int = 0) -> tuple[Figure, ...]:
    """The tuning curves, with bands where there are any; nothing without arms."""
    if not METRICS[metric].is_fraction or (found := arm_curves(runs, metric)) is None:
        return ()
    series = tuple(_series(runs, metric, found, arm, hue) for hue, arm in enumerate(found.costs))
    caption = (
        f"The median of the best of n trials drawn at random, and its {_kind(found)} band: all "
        f"bands hold at every n together with {100 * (1 - LEVEL):g} %."
        if found.bands
        else "Steps are the best so far of each arm, in the order in which its trials were "
        "proposed."
    )
    return (
        Figure(
            name=f"search-arms-{index}",
            title="Tuning curves: the best after n trials of each arm",
            caption=f"{caption} Points of the study are left out; trials without a result count "
            f"as the worst possible.",
            x=Axis("trials of the arm", percent=False),
            panels=(Panel(Axis(label(metric), from_zero=False), series),),
        ),
    )


def _series(runs: "Runs", metric: str, found: ArmCurves, arm: str, hue: int) -> Series:
    methods = runs.trials.loc[runs.trials["arm"] == arm, "method"].unique()
    band, value = found.bands.get(arm), METRICS[metric].cost
    costs = band.median if band else tuple(itertools.accumulate(found.costs[arm], min))
    ends = (
        [sorted((value(a), value(b))) for a, b in zip(band.low, band.high, strict=True)]
        if (band)
        else []
    )
    is_method = len(methods) == 1 and methods[0] == arm
    return Series(
        arm,
        x=tuple(float(n) for n in range(1, len(costs) + 1)),
        y=tuple(value(cost) for cost in costs),
        hover=tuple(
            f"{arm}\nbest of {count(n, 'trial')}\n{quantity(value(cost), metric)}"
            for n, cost in enumerate(costs, start=1)
        ),
        method=arm if is_method else "",
        hue=None if is_method else hue,
        mark="line" if band else "steps",
        low=tuple(low for low, _ in ends),
        high=tuple(high for _, high in ends),
    )
