"""Pruned trials beside the dense one of equal T: which look as good as dense."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from analysis.comparison.dense_baseline import (
    DENSE,
    Baseline,
    Baselines,
    Row,
    num_megabatches,
    training_differences,
)
from analysis.comparison.measure import Measure
from analysis.runs.cache import cached
from analysis.statistics import summary
from analysis.statistics.summary import Interval
from study.candidates import DENSITY, Candidate, nominated, smallness

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


@dataclass(frozen=True)
class Match:
    """A pruned trial and the dense one that it was compared with.

    Attributes:
        trial: Or a configuration: :func:`by_configuration`.
        baseline: Of it.
        configuration: Its number; trials that differ in seeds alone share it.
        num_seeds: Trials that it stands for.
    """

    trial: Row
    baseline: Baseline
    configuration: int = 0
    num_seeds: int = 1

    @property
    def trained_apart(self) -> list[str]:
        """The ``training.*`` settings in which it differs from dense."""
        return training_differences(self.trial, self.baseline.trial)


@cached
def matches(runs: "Runs", measure: Measure) -> list[Match]:
    """Every finished pruned trial that has a dense baseline, with it."""
    pruned = runs.complete[
        (runs.complete["method"] != DENSE)
        & runs.complete[[measure.service, measure.final, "final_density"]].notna().all(axis=1)
    ]
    baselines = Baselines(runs, measure)
    numbers = summary.configurations(pruned)
    found = []
    for trial, number in zip(pruned.to_dict("records"), numbers, strict=True):
        baseline = baselines.for_trial(trial)
        if baseline is not None:
            found.append(Match(trial, baseline, int(number)))
    return found


def by_configuration(found: list[Match], measure: Measure) -> list[Match]:
    """One match a configuration, with the mean errors of its seeds and of their dense trials.

    One seed of five that is as good by chance makes no configuration of it.
    """
    groups: dict[int, list[Match]] = {}
    for match in found:
        groups.setdefault(match.configuration, []).append(match)
    return [own[0] if len(own) == 1 else _mean_match(own, measure) for own in groups.values()]


def _mean_match(own: list[Match], measure: Measure) -> Match:
    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    trial, dense = dict(own[0].trial), dict(own[0].baseline.trial)
    trial[measure.sought] = mean([float(m.trial[measure.sought]) for m in own])
    for name in (measure.service, measure.final):
        trial[name] = mean([float(m.trial[name]) for m in own])
        dense[name] = mean([float(m.baseline.trial[name]) for m in own])
    service, final = (
        Interval(mean([i.low for i in intervals]), mean([i.high for i in intervals]))
        for intervals in (
            [m.baseline.service for m in own],
            [m.baseline.final for m in own],
        )
    )
    return Match(
        trial,
        Baseline(dense, service, final, own[0].baseline.equal_budget),
        own[0].configuration,
        len(own),
    )


def as_good(match: Match, measure: Measure) -> bool:
    """Whether it looks as good as dense: neither error was found to be worse by the margin."""
    return _candidate(match, replace(measure, sought=DENSITY)).looks_as_good(measure.margin)


def smallest_as_good(found: list[Match], measure: Measure) -> Match | None:
    """The smallest match that looks as good as dense, the fastest where a speed-up is sought.

    Of the front at the T at which dense serves best and any looks as good: the rule by which
    candidates for a confirmation are chosen. None where none does.
    """
    groups: dict[tuple[object, ...], list[Candidate]] = {}
    for match in found:
        trial = match.trial
        if not trial[measure.sought] > 0:  # was not measured
            continue
        place = trial["architecture"], trial["dataset"], num_megabatches(trial)
        groups.setdefault(place, []).append(_candidate(match, measure))
    points = nominated(groups.values(), measure.margin)
    by_number = {int(match.trial["number"]): match for match in found}
    return by_number[points[-1].number] if points else None


def _candidate(match: Match, measure: Measure) -> Candidate:
    trial, dense = match.trial, match.baseline.trial
    return Candidate(
        number=int(trial["number"]),
        size=smallness(measure.sought, float(trial[measure.sought])),
        service=float(trial[measure.service]),
        final=float(trial[measure.final]),
        dense_service=float(dense[measure.service]),
        dense_final=float(dense[measure.final]),
    )
