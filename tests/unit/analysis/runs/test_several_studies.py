"""Several studies as one: what each of them was is not forgotten."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from analysis.comparison.measure import measure_of
from analysis.comparison.planned_verdicts import planned_sequences
from analysis.errors import ReportError
from analysis.page.answer import answer
from analysis.runs.several_studies import combined
from analysis.runs.study_runs import Runs
from study.tracking import names
from tests.helpers.fake_study import SERVICE_AND_SIZE, FakeTrial, runs_of, usual

BOTH_WAYS = pytest.mark.parametrize("order", [list, lambda parts: parts[::-1]])
Order = Callable[[list[Runs]], list[Runs]]


def named(runs: Runs, name: str, **params: object) -> Runs:
    told = {**runs.study.params, **{key: str(value) for key, value in params.items()}}
    return replace(runs, study=replace(runs.study, name=name, params=told))


def seeds(first: int, number: int, objectives: tuple[str, ...] = ()) -> Runs:
    trials = [
        FakeTrial(2 * n + place, name, 4, density, seed)
        for n, seed in enumerate(range(first, first + number))
        for place, (name, density) in enumerate((("dense", 1.0), ("app", 0.5)))
    ]
    return runs_of(trials, objectives=objectives)


@BOTH_WAYS
def test_what_a_search_chose_is_judged_as_planned_in_no_company(order: Order) -> None:
    search, planned = seeds(0, 1, SERVICE_AND_SIZE), seeds(1, 8)
    confirms = replace(planned, study=replace(planned.study, confirms="search"))
    both = combined(order([named(search, "search"), named(confirms, "search-confirm")]))
    assert planned_sequences(planned, measure_of(planned))
    assert planned_sequences(both, measure_of(both)) == []
    assert both.searched_for == SERVICE_AND_SIZE
    assert any("best error of a search is optimistic" in line for line in answer(both))


@BOTH_WAYS
def test_each_trial_is_held_to_the_constraints_of_its_own_study(order: Order) -> None:
    limit = {names.PARAM_CONSTRAINTS: "final_density <= 0.2"}
    held, free = named(runs_of(usual()), "held", **limit), named(runs_of(usual()), "free")
    both = combined(order([held, free]))
    kept = both.candidates["study"].value_counts().to_dict()
    assert kept == {"held": len(held.candidates), "free": len(free.trials)}
    assert len(held.candidates) < len(held.trials)
    assert any("broke final_density <= 0.2 and cannot be the best" in s for s in answer(both))


def test_errors_that_weigh_the_time_after_the_stream_differently_are_not_combined() -> None:
    one, ten = (named(seeds(0, 1), f"h{h}", **{names.PARAM_SERVICE_AFTER: h}) for h in (1, 10))
    with pytest.raises(ReportError, match=r"service_after: h1 has 1 and h10 has 10\)\. Report"):
        combined([one, ten])
    same = combined([ten, named(ten, "again", **{names.PARAM_SERVICE_AFTER: "10.0"})])
    assert same.study.service_after == 10


@BOTH_WAYS
def test_the_smallest_margin_holds_for_all_and_that_is_noted(order: Order) -> None:
    narrow, wide = (named(seeds(0, 1), f"m{m}", **{names.PARAM_MARGIN: m}) for m in (0.005, 0.03))
    both = combined(order([narrow, wide]))
    assert both.study.margin == 0.005
    (note,) = [note for note in both.notes if "objective.margin" in note]
    assert note.endswith(": 0.005 holds for all.")
    same = combined([wide, named(wide, "again")])
    assert same.study.margin == 0.03
    assert not any("margin" in note for note in same.notes)
