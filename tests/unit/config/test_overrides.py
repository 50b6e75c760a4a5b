"""``--set path=value``."""

from typing import Any

import pytest

from study.config.loading import study_from_raw
from study.config.overrides import apply_overrides
from study.config.problems import ConfigError

RAW: dict[str, Any] = {
    "name": "a",
    "fixed": {"training": {"epochs": 1, "lr": 0.1}},
    "search": {
        "space": {
            "pruning.final_density": {"low": 0.1, "high": 1.0},
            "training.batch_size": [8, 16],
        },
        "points": [{"pruning.final_density": 0.5, "training": {"batch_size": 8}}],
    },
    "objective": {"metrics": ["service_error"]},
    "budget": {"trials": 2},
}


def test_the_last_override_of_a_path_counts() -> None:
    study = study_from_raw(RAW, overrides=["training.lr=0.2", "training.lr=1e-3"])
    assert study.fixed["training.lr"] == 0.001


def test_a_searched_value_that_is_given_is_searched_no_more() -> None:
    study = study_from_raw(RAW, overrides=["training.batch_size=32"])
    assert study.space.paths == ("pruning.final_density",)
    assert study.points == ({"pruning.final_density": 0.5},)
    assert study.compose(study.points[0]).training.batch_size == 32


def test_a_study_of_which_all_is_given_is_one_trial_and_no_search() -> None:
    given = ["pruning.final_density=0.5", "training.batch_size=8"]
    study = study_from_raw(RAW | {"confirm": {"top": 1}}, overrides=given)
    assert study.search is None
    assert study.confirm is None
    assert study.budget.trials is None
    assert not study.varied
    assert study.compose({}).training.batch_size == 8


@pytest.mark.parametrize(
    ("constraint", "latency"),
    [("final_density <= 0.2", "none"), ("file_bytes<=1e6", "none"), ("speedup_low>=2", "final")],
)
def test_constraints_go_with_the_search_and_a_latency_that_they_name_is_measured_all_the_same(
    constraint: str, latency: str
) -> None:
    objective = {"metrics": ["service_error"], "constraints": [constraint], "service_after": 2.0}
    given = ["pruning.final_density=0.5", "training.batch_size=8"]
    searching = study_from_raw(RAW | {"objective": objective})
    study = study_from_raw(RAW | {"objective": objective}, overrides=given)
    assert study.objective.constraints == ()
    assert study.objective.service_after == 2.0
    assert searching.measured_latency == study.measured_latency == latency
    chosen = [*given, "tracking.log_latency=every_megabatch"]
    every = study_from_raw(RAW | {"objective": objective}, overrides=chosen)
    assert every.measured_latency == "every_megabatch"


def test_fixed_may_be_said_or_left_out() -> None:
    said = study_from_raw(RAW, overrides=["fixed.training.lr=0.2"])
    assert said == study_from_raw(RAW, overrides=["training.lr=0.2"])


def test_an_axis_that_is_given_is_one_no_more() -> None:
    raw = {**RAW, "axes": {"seed": [0, 1], "training": {"lr": [0.1]}}}
    assert apply_overrides(raw, ["seed=3"])["axes"] == {"training.lr": [0.1]}
    assert "axes" not in apply_overrides({"axes": {"seed": [0, 1]}}, ["seed=3"])
    groups = {"axes": [{"seed": [0, 1]}, {"seed": [2], "training.lr": [0.1]}]}
    assert apply_overrides(groups, ["seed=3"])["axes"] == [{}, {"training.lr": [0.1]}]


def test_anything_else_is_replaced_where_it_stands() -> None:
    study = study_from_raw(
        RAW,
        overrides=[
            "budget.trials=7",
            "search.space.training.batch_size=[4]",
            "search.points=[]",
            "resources.max_concurrent=1",
        ],
    )
    assert study.budget.trials == 7
    assert study.space.dimensions[1].domain.ends() == (4,)
    assert study.resources.max_concurrent == 1


def test_what_was_given_is_not_written_to() -> None:
    before = repr(RAW)
    apply_overrides(RAW, ["training.lr=1", "budget.trials=3", "search.space.seed=[1]"])
    assert repr(RAW) == before


def test_a_list_is_not_walked_into() -> None:
    with pytest.raises(ConfigError, match=r"search\.points whole"):
        apply_overrides(RAW, ["search.points.0=1"])


def test_all_wrong_overrides_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        apply_overrides(RAW, ["=1", "nonsense", "a.b=1", "training.lr=[", "seed=1"])
    assert [p.path for p in refused.value.problems] == [
        "--set", "--set", "--set a.b", "--set training.lr",
    ]  # fmt: skip
