"""Candidates for the smallest that is as good as dense: fixed by the search alone, at one T."""

from dataclasses import replace
from typing import Any

import pytest

from analysis.comparison.matches import matches, smallest_as_good
from analysis.comparison.measure import measure_of
from analysis.runs.study_runs import Runs
from study.candidates import (
    Candidate,
    looking_as_good,
    nominated,
    smallness,
    sought_metric,
    spread,
)
from study.operations.confirm_candidates import compared_with_dense
from study.operations.confirm_choice import ConfirmOptions, choose_trials
from study.results import TrialHistory
from tests.helpers.fake_study import FakeTrial, runs_of
from tests.helpers.searched import searched
from tests.helpers.small_studies import FIXED

Networks = dict[tuple[int, float], tuple[float, float]]  # T and density → service, final error

DENSE = {(2, 1.0): (0.10, 0.05), (4, 1.0): (0.12, 0.06)}
GOOD_AT_2 = {(2, 0.5): (0.095, 0.05), (2, 0.3): (0.10, 0.052), (2, 0.2): (0.105, 0.055)}
RUINED_AT_2 = {(2, 0.15): (0.107, 0.09)}
BAD_AT_2 = {(2, 0.1): (0.13, 0.08)}
GOOD_AT_4 = {(4, 0.4): (0.125, 0.065)}


def chosen(networks: Networks, top: int = 3, **changes: Any) -> list[tuple[int, float]]:
    """T and density of what is confirmed, in its order."""
    opened = searched(networks, **changes)
    found = choose_trials(opened.record, opened.study, ConfirmOptions(top=top))
    return [
        (trial.config["stream"]["num_megabatches"], trial.final_values["final_density"])
        for trial in found
    ]


def test_candidates_are_of_the_one_length_at_which_dense_serves_best() -> None:
    smaller_at_4 = {(4, 0.1): (0.125, 0.065)}
    networks = DENSE | GOOD_AT_2 | RUINED_AT_2 | BAD_AT_2 | GOOD_AT_4 | smaller_at_4
    assert chosen(networks) == [(2, 0.2), (2, 0.3), (2, 0.5)]
    assert chosen(networks, top=2) == [(2, 0.2), (2, 0.5)]
    assert chosen(networks, top=1) == [(2, 0.2)]


def test_both_errors_must_look_as_good_within_the_margin_of_the_study() -> None:
    networks = DENSE | GOOD_AT_2 | RUINED_AT_2
    wide = {"metrics": ["service_error", "final_density"], "margin": 0.05}
    assert chosen(networks, top=1) == [(2, 0.2)]
    assert chosen(networks, top=1, objective=wide) == [(2, 0.15)]


def test_where_none_looks_as_good_there_the_next_best_length_is_asked() -> None:
    assert chosen(DENSE | BAD_AT_2 | GOOD_AT_4) == [(4, 0.4)]


def test_where_none_looks_as_good_the_nearest_to_dense_is_run() -> None:
    assert chosen(DENSE | BAD_AT_2 | {(2, 0.7): (0.12, 0.06)}) == [(2, 0.7)]


def test_what_breaks_a_constraint_is_no_candidate() -> None:
    limited = {
        "metrics": ["service_error", "final_density"],
        "constraints": ["final_density >= 0.25"],
    }
    assert chosen(DENSE | GOOD_AT_2, objective=limited) == [(2, 0.3), (2, 0.5)]


def test_a_search_for_the_error_alone_confirms_its_winner_and_what_the_answer_names() -> None:
    objective = {"metrics": ["service_error"]}
    assert chosen(DENSE | GOOD_AT_2, objective=objective) == [(2, 0.5), (2, 0.2), (2, 0.3)]
    assert chosen(DENSE | GOOD_AT_2, top=1, objective=objective) == [(2, 0.5)]


def test_where_a_speedup_is_sought_candidates_are_put_in_order_by_it() -> None:
    objective = {"metrics": ["service_error", "speedup"]}
    # The smallest is the slowest; of one that was not measured nothing is known.
    speedups = {(2, 0.5): 1.5, (2, 0.3): 3.0, (2, 0.2): 1.2}
    assert chosen(DENSE | GOOD_AT_2, objective=objective, speedups=speedups) == [
        (2, 0.3),
        (2, 0.5),
    ]
    del speedups[2, 0.3]
    assert chosen(DENSE | GOOD_AT_2, objective=objective, speedups=speedups) == [(2, 0.5)]


@pytest.mark.parametrize("top", [1, 2, 3, 4, 7])
def test_a_spread_has_the_smallest_and_the_largest_and_no_point_twice(top: int) -> None:
    points = [Candidate(i, 0.8**i, 0.1, 0.1, 0.1, 0.1) for i in range(6)]
    found = spread(points, top)
    assert len(found) == min(top, 6)
    assert len({one.number for one in found}) == len(found)
    assert found[-1] is points[-1]
    assert top == 1 or found[0] is points[0]
    assert [one.size for one in found] == sorted((one.size for one in found), reverse=True)


def test_what_a_smaller_one_beats_in_service_is_not_on_the_front() -> None:
    larger, smaller = (
        Candidate(i, density, service, 0.05, 0.1, 0.05)
        for i, (density, service) in enumerate([(0.5, 0.1), (0.2, 0.09)])
    )
    assert looking_as_good([larger, smaller], 0.01) == [smaller]
    # A ruined last model hides in the service error, and hides no other network.
    assert looking_as_good([larger, replace(smaller, final=0.5)], 0.01) == [larger]
    assert looking_as_good([larger, replace(smaller, service=0.105)], 0.01)[0] is larger


@pytest.mark.parametrize(
    ("budget", "seen", "compared"),
    [
        ({"training.epochs": 2}, 1200, True),  # scoring comes on top of the epochs
        ({"training.epochs": 2}, 1000, False),
        ({"training.total_samples": 1000}, 1000, True),  # scoring takes its part
        ({"training.total_samples": 1000}, 1200, False),
        ({"training.total_flops": 10**9}, 1000, True),
        ({"training.total_flops": 10**9}, 1200, False),
    ],
)
def test_a_pruned_trial_is_compared_with_dense_at_an_equal_budget(
    budget: dict[str, int], seen: int, *, compared: bool
) -> None:
    fixed = {p: v for p, v in FIXED.items() if p != "training.total_samples"} | budget
    objective = {"metrics": ["service_error", "samples_seen"]}  # so that T may be searched
    networks = {(2, 1.0): (0.10, 0.05), (2, 0.3): (0.10, 0.05)}
    opened = searched(networks, fixed=fixed, objective=objective)
    dense, pruned = opened.record.trials.values()
    for trial, samples_seen, scored in ((dense, 1000, 0), (pruned, seen, 200)):
        made = trial.history
        counts = {"samples_seen": float(samples_seen), "samples_scored": float(scored)}
        counts["train_flops"] = 1e6 * samples_seen
        last = made.megabatches[-1]
        last = replace(last, metrics={**last.metrics, **counts})
        opened.record.trials[trial.key] = replace(
            trial, history=TrialHistory(made.epochs, (*made.megabatches[:-1], last))
        )
    assert bool(compared_with_dense(opened.record, opened.study)) is compared


def test_the_answer_names_the_smallest_of_the_candidates() -> None:
    networks = DENSE | GOOD_AT_2 | RUINED_AT_2 | BAD_AT_2 | GOOD_AT_4
    opened = searched(networks)
    groups = compared_with_dense(opened.record, opened.study)
    candidates = nominated(groups.values(), 0.01)
    runs = runs_like(networks)
    measure = measure_of(runs)
    named = smallest_as_good(matches(runs, measure), measure)
    assert named is not None
    assert named.trial["number"] == candidates[-1].number


def runs_like(networks: Networks) -> Runs:
    """The same search as reports see it."""
    trials = [
        FakeTrial(number, "dense" if density == 1 else "app", length, density)
        for number, (length, density) in enumerate(networks)
    ]
    runs = runs_of(trials)
    errors = list(networks.values())
    changed = runs.trials.assign(
        service_error=[service for service, _ in errors],
        final_error=[final for _, final in errors],
    )
    return replace(runs, trials=changed)


@pytest.mark.parametrize(
    ("objectives", "sought"),
    [
        (("service_error",), "final_density"),
        (("service_error", "sparsity"), "final_density"),
        (("file_bytes", "service_error", "speedup"), "file_bytes"),
        (("service_error", "latency_ms"), "latency_ms"),
    ],
)
def test_what_a_study_seeks_is_the_first_objective_that_pruning_brings_about(
    objectives: tuple[str, ...], sought: str
) -> None:
    assert sought_metric(objectives) == sought


def test_a_faster_network_is_a_smaller_one() -> None:
    assert smallness("speedup", 4.0) < smallness("speedup", 2.0)
    assert smallness("latency_ms", 2.0) < smallness("latency_ms", 4.0)
