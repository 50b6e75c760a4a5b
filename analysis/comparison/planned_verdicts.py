"""Configurations that were planned with several seeds, against dense: the smallest as good."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.comparison.comparisons import Comparison, compare
from analysis.comparison.dense_baseline import DENSE, Row
from analysis.comparison.measure import Measure
from analysis.comparison.methods import Pairs, pairs
from analysis.statistics.differences import MethodDifference
from study.comparisons import SIGNIFICANCE, pairs_needed

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

_Place = tuple[int, float, str]  # setting, weights kept, method


@dataclass(frozen=True)
class Planned:
    """One configuration against dense in both errors, within pairs of one seed.

    Attributes:
        service: The difference in service error.
        final: The difference in final error.
        is_as_good: At the margin in both, by the level of its sequence.
    """

    service: Comparison
    final: Comparison
    is_as_good: bool


@dataclass(frozen=True)
class PlannedSequence:
    """The configurations of one setting in the order in which they are tested.

    Attributes:
        tested: The largest density first.
        smallest: The last that is as good before the first that is not shown to be.
        pairs_needed: How many pairs could decide at its level.
    """

    tested: tuple[Planned, ...]
    smallest: Planned | None
    pairs_needed: int


def planned_sequences(runs: "Runs", measure: Measure) -> list[PlannedSequence]:
    """A sequence for each setting in which dense and pruned networks share seeds.

    Nothing where the study is a search (or one of several is), whose trials were chosen by these
    errors, or has its errors on the test split, on which nothing is chosen. Fixed-sequence
    testing keeps the 5 % of one setting; several share it.
    """
    if runs.searched_for or not measure.may_select:
        return []
    service, final = (pairs(runs, name) for name in (measure.service, measure.final))
    ours, theirs = _against_dense(service), _against_dense(final)
    places = sorted(ours.keys() & theirs.keys(), key=lambda p: (p[0], -p[1], p[2]))
    settings = list(dict.fromkeys(setting for setting, _, _ in places))
    made = []
    for setting in settings:
        tested = tuple(
            _planned(
                compare(ours[place], service.values, service.varied),
                compare(theirs[place], final.values, final.varied),
                runs.study.margin,
                len(settings),
            )
            for place in places
            if place[0] == setting
        )
        made.append(PlannedSequence(tested, _smallest(tested), pairs_needed(len(settings))))
    return made


def _against_dense(found: Pairs) -> dict[_Place, list[Row]]:
    """Rows of at least two pairs, by configuration."""
    groups: dict[_Place, list[Row]] = {}
    for row in found.frame[found.frame["b"] == DENSE].to_dict("records"):
        groups.setdefault((row["setting"], row["kept"], row["a"]), []).append(row)
    return {place: rows for place, rows in groups.items() if len(rows) > 1}


def _planned(service: Comparison, final: Comparison, margin: float, num_settings: int) -> Planned:
    def holds(difference: MethodDifference) -> bool:
        return (
            difference.num_pairs >= pairs_needed(num_settings)
            and difference.interval() is not None
            and difference.estimate < margin
            and difference.p_at(margin) < SIGNIFICANCE / num_settings
        )

    return Planned(service, final, holds(service.result) and holds(final.result))


def _smallest(tested: tuple[Planned, ...]) -> Planned | None:
    found = None
    for one in tested:
        if not one.is_as_good:
            break
        found = one
    return found
