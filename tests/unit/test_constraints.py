"""Limits on results: read, refused with a reason, and kept by every winner."""

import math

import pytest

from study.config.problems import ConfigError
from study.config.study import parse_study
from study.constraints import (
    allows_all,
    constraints_text,
    parse_constraint,
    parse_constraints,
)
from tests.helpers.small_studies import FIXED, raw_search


def problems_of(**changes: object) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_study(raw_search(**changes))
    return str(refused.value)


@pytest.mark.parametrize("text", ["final_density <= 0.2", "train_flops<=1e13", "density >= 0.5"])
def test_a_constraint_is_read_back_from_what_it_says(text: str) -> None:
    constraint = parse_constraint(text)
    assert parse_constraint(str(constraint)) == constraint
    assert parse_constraints(constraints_text((constraint, constraint))) == (constraint,) * 2


@pytest.mark.parametrize("text", ["", "final_density", "a < 1", "a <= b", "a <= nan", "a <= 1 b"])
def test_what_is_no_constraint_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write a metric"):
        parse_constraint(text)


def test_a_bound_is_met_by_the_rounding_of_a_count_but_by_nothing_more() -> None:
    limit = parse_constraint("final_density <= 0.2")
    assert limit.allows(0.2001)
    assert not limit.allows(0.21)
    assert not limit.allows(math.nan)
    assert parse_constraint("final_density >= 0.2").allows(0.3)
    assert not allows_all((limit,), {})


def test_violations_of_a_density_and_of_compute_weigh_alike() -> None:
    """A sampler adds them up: FLOPs in FLOPs would drown the density."""
    density, flops = (
        parse_constraint("final_density <= 0.2"),
        parse_constraint("train_flops <= 1e11"),
    )
    assert density.violation(0.8) == pytest.approx(2.99)
    assert flops.violation(4e11) == pytest.approx(density.violation(0.8))
    least = parse_constraint("final_density >= 0.2")
    assert least.violation(0.1) == pytest.approx(0.49)
    assert parse_constraint("generalization_gap <= 0").violation(0.25) == 0.25


def test_constraints_of_a_study_name_metrics_of_a_whole_trial_and_not_the_test_split() -> None:
    objective = {"metrics": ["service_error"], "constraints": ["final_densty <= 0.2", "x"]}
    said = problems_of(objective=objective)
    assert "did you mean 'final_density'" in said
    assert "'x' is no constraint" in said
    said = problems_of(objective={**objective, "constraints": ["test_final_error <= 0.2"]})
    assert "measured on test" in said


def test_a_limit_on_compute_charges_for_a_searched_number_of_megabatches() -> None:
    fixed = {k: v for k, v in FIXED.items() if k != "training.total_samples"}
    fixed["training.epochs"] = 1
    assert "compute is not charged" in problems_of(fixed=fixed)
    objective = {"metrics": ["service_error"], "constraints": ["samples_seen <= 1000"]}
    assert parse_study(raw_search(fixed=fixed, objective=objective)).objective.limits
    objective["constraints"] = ["samples_seen >= 1000"]
    assert "compute is not charged" in problems_of(fixed=fixed, objective=objective)


@pytest.mark.parametrize(
    ("search", "objective", "words"),
    [
        ({"sampler": "gp"}, ["service_error"], "exist only in some"),
        ({"sampler": "grid"}, ["service_error"], "range without a step"),
        (
            {"stopping": {"name": "asha"}},
            ["final_density"],
            "compares running trials by one error",
        ),
        (
            {"stopping": {"name": "median"}},
            ["service_error", "train_flops"],
            "the cheapest trial is never dominated",
        ),
        ({"warm_start": ["small"]}, ["service_error"], "names this study itself"),
    ],
)
def test_what_a_search_cannot_do_is_refused_with_the_reason(
    search: dict[str, object], objective: list[str], words: str
) -> None:
    raw = raw_search()
    said = problems_of(search={**raw["search"], **search}, objective={"metrics": objective})
    assert words in said
