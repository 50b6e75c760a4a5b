"""Tuning curves of arms in the section on the search."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from analysis.reports.search.arms import arm_curves, arm_figures, arm_sentences
from analysis.runs.study_runs import Runs
from study.results import Outcome
from tests.helpers.fake_study import FakeTrial, runs_of

METRIC = "service_error"


def searched(
    errors: Mapping[str, Sequence[float]],
    *,
    sampler: str = "random",
    stopping: str = "none",
    num_points: int = 0,
    **params: str,
) -> Runs:
    """A search whose arms, the schedules, take turns; with these service errors."""
    turns = [
        (arm, error)
        for row in zip(*errors.values(), strict=True)
        for arm, error in zip(errors, row, strict=True)
    ]
    trials = [FakeTrial(n, arm, 4, 0.2) for n, (arm, _) in enumerate(turns)]
    runs = runs_of(trials, objectives=(METRIC,))
    params |= {
        "search.sampler": sampler,
        "search.stopping": stopping,
        "search.num_points": str(num_points),
        "search.arms": ",".join(errors),
    }
    arms, values = zip(*turns, strict=True)
    return replace(
        runs,
        study=replace(runs.study, params=params),
        trials=runs.trials.assign(arm=list(arms), **{METRIC: list(values)}),
    )


def spread(low: float, number: int = 20) -> list[float]:
    return [low + 0.001 * ((7 * n) % number) for n in range(number)]


def test_arms_that_are_far_apart_are_ahead_up_to_where_bands_can_part_them() -> None:
    runs = searched({"app": spread(0.1), "one_shot": spread(0.5)})
    opening, verdict = arm_sentences(runs, METRIC)
    assert opening == (
        "The best service error after 20 trials of each arm: app 10.0 % and one_shot 50.0 %."
    )
    assert verdict == (
        "By exact bands (95 % for all arms and every n together), app is ahead of one_shot at n = "
        "1 to 2."
    )


def test_arms_that_are_alike_and_too_few_trials_are_said_to_be_so() -> None:
    alike = {"app": spread(0.1), "one_shot": spread(0.1)}
    assert (
        "no arm is ahead of another at any n: with 20 trials"
        in arm_sentences(searched(alike), METRIC)[1]
    )
    few = {"app": spread(0.1, 6), "one_shot": spread(0.5, 6)}
    assert "are too few to part arms at any n" in arm_sentences(searched(few), METRIC)[1]


@pytest.mark.parametrize(("sampler", "stopping"), [("tpe", "none"), ("random", "asha")])
def test_trials_that_depend_on_each_other_have_no_band(sampler: str, stopping: str) -> None:
    errors = {"app": [0.3, 0.2, 0.4], "one_shot": [0.5, 0.6, 0.4]}
    runs = searched(errors, sampler=sampler, stopping=stopping)
    (figure,) = arm_figures(runs, METRIC)
    app, one_shot = figure.panels[0].series
    assert (app.y, one_shot.y) == ((0.3, 0.2, 0.2), (0.5, 0.5, 0.4))
    assert app.low == ()
    assert "has no exact band here" in arm_sentences(runs, METRIC)[1]


def test_points_are_no_draws_and_what_has_no_result_counts_as_the_worst() -> None:
    errors = {"app": [0.01, 0.3, 0.2, 0.4], "one_shot": [0.01, 0.5, 0.6, 0.7]}
    runs = searched(errors, num_points=2)
    trials = runs.trials.copy()
    trials.loc[4, "outcome"] = Outcome.ERROR
    trials.loc[7, "outcome"] = "running"
    found = arm_curves(replace(runs, trials=trials), METRIC)
    assert found is not None
    # The last trial of one_shot still runs: both arms are looked at after two.
    assert found.costs == {"app": (0.3, 1.0), "one_shot": (0.5, 0.6)}


def test_every_proposal_counts_where_fewer_points_were_trained_than_given() -> None:
    errors = {"app": [0.01, 0.3, 0.2], "one_shot": [0.02, 0.5, 0.6]}
    runs = searched(errors, num_points=4)  # two of them equal to others, and trained once
    marked = runs.trials.assign(proposed_by=["point"] * 2 + ["random"] * 4)
    found = arm_curves(replace(runs, trials=marked), METRIC)
    assert found is not None
    assert found.costs == {"app": (0.3, 0.2), "one_shot": (0.5, 0.6)}


@pytest.mark.parametrize(
    ("density", "is_exact"),
    [
        ('{"low": 0.1, "high": 1.0, "log": true}', True),
        ('{"low": 0.1, "high": 1.0, "step": 0.1}', False),
        ('{"choices": [0.1, 0.2]}', False),
    ],
)
def test_bands_are_exact_where_nothing_can_be_drawn_twice(density: str, is_exact: bool) -> None:
    space = {
        "search.space.pruning.schedule": '{"choices": ["app", "one_shot"]}',
        "search.space.stream.num_megabatches": '{"low": 2, "high": 8}',
        "search.space.pruning.final_density": density,
    }
    runs = searched({"app": spread(0.1), "one_shot": spread(0.5)}, **space)
    said = arm_sentences(runs, METRIC)
    kind = "exact" if is_exact else "approximate"
    assert said[1].startswith(f"By {kind} bands (95 %")
    assert any("not exact here" in sentence for sentence in said) is not is_exact
    assert f"its {kind} band" in arm_figures(runs, METRIC)[0].caption


def test_a_search_without_arms_has_neither_sentences_nor_curves() -> None:
    runs = runs_of([FakeTrial(0)], objectives=(METRIC,))
    assert arm_sentences(runs, METRIC) == []
    assert arm_figures(runs, METRIC) == ()
