"""Ranges, choices and conditions."""

from typing import Any

import pytest

from study.config.domains import Choices, Range
from study.config.plugins import load_builtin_plugins
from study.config.problems import Problem
from study.config.space import MAX_CORNERS, Space, parse_space

load_builtin_plugins()


def space_of(raw: dict[str, Any]) -> Space:
    problems: list[Problem] = []
    space = parse_space(raw, problems)
    assert problems == []
    return space


def test_a_range_holds_both_its_ends_and_no_more() -> None:
    domain = space_of({"training.lr": {"low": 0.1, "high": 1}}).dimensions[0].domain
    assert domain.ends() == (0.1, 1.0)
    assert 0.1 in domain
    assert 1 in domain
    assert 1.001 not in domain
    assert True not in domain
    assert "0.5" not in domain


def test_a_range_over_whole_numbers_is_whole() -> None:
    domain = space_of({"stream.num_megabatches": {"low": 1, "high": 9, "step": 2}}).dimensions[0]
    assert domain.domain == Range(1, 9, step=2, is_integer=True)
    assert all(isinstance(end, int) for end in domain.domain.ends())


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        (Range(0.02, 1.0, log=True), "0.02 to 1.0 (log)"),
        (Range(1, 9, log=False, step=2, is_integer=True), "1 to 9 (step 2)"),
        (Range(0.1, 0.5), "0.1 to 0.5"),
        (Choices(("app", "one_shot")), "one of app, one_shot"),
        (Choices((2, 4, 8)), "one of 2, 4, 8"),
    ],
)
def test_a_domain_is_said_in_words(domain: Range | Choices, text: str) -> None:
    assert str(domain) == text


def test_a_choice_is_told_from_what_is_equal_to_it() -> None:
    domain = Choices((1, True, "1"))
    assert 1 in domain
    assert 1.0 not in domain
    assert False not in domain


def test_what_others_depend_on_is_chosen_before_them() -> None:
    space = space_of(
        {
            "training.lr": {"low": 0.1, "high": 1, "when": {"training.keep": "last"}},
            "training.keep": {"choices": ["best", "last"], "when": {"pruning.schedule": "dense"}},
            "pruning.rate": {"low": 0.1, "high": 0.5},
            "pruning.schedule": ["geometric", "dense"],
        }
    )
    order = {path: index for index, path in enumerate(space.paths)}
    assert order["pruning.schedule"] < order["training.keep"] < order["training.lr"]
    assert order["pruning.schedule"] < order["pruning.rate"]


def test_corners_hold_a_path_only_where_it_exists() -> None:
    space = space_of(
        {
            "pruning.rate": {"low": 0.1, "high": 0.5},
            "pruning.final_density": {"low": 0.2, "high": 0.4},
            "pruning.schedule": ["geometric", "dense", "app"],
        }
    )
    corners = [tuple(sorted(c.items())) for c in space.ends({})]
    assert len(corners) == len(set(corners)) == 5
    for corner in corners:
        chosen = dict(corner)
        assert ("pruning.rate" in chosen) == (chosen["pruning.schedule"] == "geometric")
        assert ("pruning.final_density" in chosen) == (chosen["pruning.schedule"] == "app")


def test_a_value_within_a_range_that_others_depend_on_is_a_corner_too() -> None:
    space = space_of(
        {
            "stream.num_megabatches": {"low": 1, "high": 8},
            "training.lr": {"low": 0.1, "high": 9, "when": {"stream.num_megabatches": 4}},
        }
    )
    corners = list(space.ends({}))
    assert {"stream.num_megabatches": 4, "training.lr": 9.0} in corners
    assert {"stream.num_megabatches": 8} in corners


def test_a_condition_may_name_a_fixed_value() -> None:
    raw = {"training.lr": {"low": 0.1, "high": 9, "when": {"stream.replay": ["full", "none"]}}}
    dimension = space_of(raw).dimensions[0]
    assert dimension.is_active({"stream.replay": "none"})
    assert not dimension.is_active({"stream.replay": "previous"})


def test_large_spaces_join_what_decides_how_many_weights_are_left() -> None:
    raw: dict[str, Any] = {
        "pruning.tau": {"low": 1, "high": 9},
        "stream.num_megabatches": {"low": 1, "high": 12},
        "seed": list(range(3000)),
    }
    corners = list(space_of(raw).ends({}))
    assert len(corners) < 2 * MAX_CORNERS
    joint = {(c["pruning.tau"], c["stream.num_megabatches"]) for c in corners}
    assert joint == {(1.0, 1), (1.0, 12), (9.0, 1), (9.0, 12)}
    assert {c["seed"] for c in corners} == set(range(3000))


@pytest.mark.parametrize(
    ("path", "raw", "says"),
    [
        ("training.lr", {"low": 0.1}, "search.space.training.lr.high: must be given"),
        ("training.lr", {"low": True, "high": 2}, "low: must be a number, got True"),
        ("training.lr", {"low": "1", "high": 2}, "low: must be a number, got '1'"),
        ("training.lr", {"low": float("nan"), "high": 2}, "low: must be a number"),
        ("training.lr", {"low": 1, "high": float("inf")}, "high: must be a number"),
        ("training.lr", {"low": 1, "high": 10**400}, "high: must be a number"),
        ("training.lr", {"low": 1, "high": 2, "log": "yes"}, "log: must be true or false"),
        ("training.lr", {"low": 1, "high": 2, "log": True, "step": 1}, "leave one out"),
        ("training.lr", {"low": 1, "high": 2, "step": 0}, "step: must be above 0"),
        ("training.lr", {"low": 1, "high": 2, "hihg": 3}, "did you mean 'high'?"),
        ("training.epochs", {"low": 1.5, "high": 2}, "takes whole numbers"),
        ("training.keep", {"low": 1, "high": 2}, "give a list of choices"),
        ("training.keep", {"choices": ["best"], "low": 1}, "low: unknown key"),
        ("training.keep", ["best", "best"], "given twice"),
        ("training.keep", [{"a": 1}], "not a mapping"),
        ("training.keep", "best", "belongs under fixed"),
        ("training.keep", None, "belongs under fixed"),
        ("training.lr", {"low": 1, "high": 2, "when": 3}, "when: must map paths to values"),
        ("training.lr", {"low": 1, "high": 2, "when": {"seed": []}}, "at least one value"),
        ("training.lr", {"low": 1, "high": 2, "when": {"training.lr": 1}}, "circle"),
        ("training", {"lr": {"low": 1, "high": 2}}, "is a section"),
    ],
)
def test_a_wrong_dimension_is_refused_at_its_path(path: str, raw: object, says: str) -> None:
    problems: list[Problem] = []
    parse_space({path: raw}, problems)
    assert len(problems) == 1
    assert problems[0].path.startswith(f"search.space.{path}")
    assert says in f"{problems[0].path}: {problems[0].message}"


def test_everything_that_is_wrong_with_a_dimension_is_told_at_once() -> None:
    problems: list[Problem] = []
    raw = {"low": "a", "high": None, "log": 1, "when": {"no.path": 1}, "stpe": 1}
    parse_space({"training.lr": raw}, problems)
    assert {p.path.removeprefix("search.space.training.lr.") for p in problems} == {
        "low", "high", "log", "when.no.path", "stpe",
    }  # fmt: skip
