"""A whole study, its parts read together."""

from typing import Any

import pytest

from study.config.loading import study_from_raw
from study.config.problems import ConfigError
from study.config.study import parse_study, renamed
from study.config.study_config import StudyConfig
from study.config.yaml_io import read_yaml
from study.trial.study_description import study_info
from tests.helpers.small_studies import FIXED as SMALL
from tests.helpers.small_studies import raw_search

FIXED = {"pruning.final_density": 0.5, "training.total_samples": 100}
UNTIMED = {"pruning.final_density": 0.5}
SEARCH: dict[str, Any] = {
    "search": {"space": {"pruning.final_density": {"low": 0.1, "high": 1.0}}},
    "objective": {"metrics": ["service_error"]},
    "budget": {"trials": 3},
    "fixed": {"training.total_samples": 100},
}


def make(**changes: Any) -> StudyConfig:
    return study_from_raw({"name": "a", "fixed": FIXED, **changes})


def problems_of(**changes: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        make(**changes)
    return [f"{p.path}: {p.message}" for p in refused.value.problems]


def test_a_study_that_varies_nothing_is_one_trial() -> None:
    study = make()
    assert study.points == ({},)
    assert study.num_proposals == 0
    assert [trial.pruning.final_density for trial in study.corners()] == [0.5]


def test_nested_and_dotted_values_are_the_same() -> None:
    nested = {"pruning": {"final_density": 0.5}, "training": {"total_samples": 100}}
    assert make(fixed=nested).compose({}) == make().compose({})


def test_axes_are_every_combination_within_a_group_each_once() -> None:
    study = make(
        axes=[
            {"pruning.schedule": ["dense", "app"], "seed": [0, 1]},
            {"pruning.schedule": "dense", "seed": 1},
            {"pruning.schedule": "one_shot"},
        ]
    )
    assert len(study.points) == 5
    assert study.varied == ("pruning.schedule", "seed")
    assert len({trial.key() for trial in study.corners()}) == 5


def test_a_study_that_confirms_none_has_no_arms_whatever_its_axes() -> None:
    assert make(axes=[{"seed": [0, 1]}, {"pruning.schedule": "dense"}]).arms() == {}


def test_a_target_is_left_out_where_the_schedule_takes_none() -> None:
    study = make(axes={"pruning.schedule": ["dense", "app"]})
    dense, app = (study.compose(point) for point in study.points)
    assert dense.pruning.final_density is None
    assert app.pruning.final_density == 0.5


def test_a_fixed_target_holds_for_the_searched_schedules_that_take_one() -> None:
    changes = {
        **SEARCH,
        "fixed": FIXED,
        "search": {"space": {"pruning.schedule": ["dense", "app"]}},
    }
    study = make(**changes)
    assert {trial.pruning.final_density for trial in study.corners()} == {None, 0.5}


def test_a_fixed_value_that_no_trial_has_is_refused() -> None:
    fixed = {"training.total_samples": 100, "pruning.rate": 0.2, "pruning.tau": 3.0}
    said = problems_of(fixed=fixed, axes={"pruning.schedule": ["dense", "app"]})
    assert said == [
        "fixed.pruning.rate: belongs to no value of pruning.schedule that this study uses; "
        "leave it out"
    ]


def test_a_list_in_a_point_stands_for_each_of_its_values() -> None:
    search = {
        **SEARCH["search"],
        "points": [{"pruning.schedule": "dense", "stream.num_megabatches": [2, 2, 4]}],
    }
    study = make(**{**SEARCH, "search": search})
    assert [point["stream.num_megabatches"] for point in study.points] == [2, 4]


def test_a_point_may_lie_outside_the_space_as_baselines_do() -> None:
    search = {**SEARCH["search"], "points": [{"pruning.final_density": 0.01}]}
    assert make(**{**SEARCH, "search": search}).points == ({"pruning.final_density": 0.01},)


def test_mistakes_of_every_part_are_told_at_once() -> None:
    said = problems_of(
        name="a b",
        description=3,
        plugins=[1],
        bdget={},
        fixed={"training.lr": -1, "trainin.lr": 1, "training.total_samples": 100},
        search={"space": {"pruning.final_density": {"low": 2, "high": 1}}, "smpler": "tpe"},
        resources={"cpus_per_trial": 0},
    )
    paths = [line.partition(": ")[0] for line in said]
    assert set(paths) == {
        "name", "description", "plugins", "bdget", "fixed.training.lr", "fixed.trainin.lr",
        "search.smpler", "resources.cpus_per_trial",
    }  # fmt: skip


def test_what_could_not_be_read_is_not_missed_as_well() -> None:
    said = problems_of(**{**SEARCH, "fixed": {"training.total_sample": 100}})
    assert len(said) == 1
    space = {"pruning.final_density": {"low": 2, "high": 1}}
    said = problems_of(**{**SEARCH, "search": {"space": space}})
    assert len(said) == 1


def test_a_missing_budget_is_told_beside_other_mistakes() -> None:
    said = problems_of(
        search=SEARCH["search"], fixed={"training.lr": -1, "training.total_samples": 9}
    )
    assert [line.partition(": ")[0] for line in said] == [
        "objective", "budget.trials", "fixed.training.lr",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["anytime_error", "test_anytime_error"])
@pytest.mark.parametrize(
    "density", ["final_density", "density", "effective_density", "speedup", "file_bytes"]
)
def test_anytime_error_never_goes_with_a_density_or_what_stands_for_one(
    name: str, density: str
) -> None:
    objective = {"metrics": [name, density], "allow_test_objective": True}
    said = problems_of(**{**SEARCH, "objective": objective})
    assert any("charges nobody for ruining the last model" in line for line in said)


@pytest.mark.parametrize(
    ("objective", "asked", "measured"),
    [
        ({"metrics": ["service_error"]}, "auto", "none"),
        ({"metrics": ["service_error", "speedup"]}, "auto", "final"),
        ({"metrics": ["latency_ms_batch64"]}, "auto", "final"),
        ({"constraints": ["speedup_low >= 2"]}, "auto", "final"),
        ({"constraints": ["file_bytes <= 1e6"]}, "auto", "none"),
        ({"metrics": ["service_error"]}, "final", "final"),
        ({"constraints": ["speedup >= 2"]}, "every_megabatch", "every_megabatch"),
    ],
)
def test_latency_is_measured_where_a_study_judges_by_it_or_asks_for_it(
    objective: dict[str, Any], asked: str, measured: str
) -> None:
    study = make(**{**SEARCH, "objective": objective, "tracking": {"log_latency": asked}})
    assert study.measured_latency == measured


def test_a_test_metric_is_allowed_to_those_who_say_so() -> None:
    objective = {"metrics": ["test_service_error"], "allow_test_objective": True}
    assert make(**{**SEARCH, "objective": objective}).objective.allow_test_objective


@pytest.mark.parametrize("metric", ["samples_seen", "train_flops"])
def test_compute_may_be_charged_by_an_objective(metric: str) -> None:
    search = {"space": {"stream.num_megabatches": [2, 4]}}
    fixed = {"training.epochs": 1, "pruning.final_density": 0.5}
    changes = {**SEARCH, "search": search, "fixed": fixed}
    assert "compute is not charged" in problems_of(**changes)[0]
    objective = {"metrics": ["service_error", metric]}
    assert make(**{**changes, "objective": objective}).objective.metrics[1] == metric


@pytest.mark.parametrize("metric", ["cumulative_errors", "mean_error"])
def test_cumulative_errors_are_an_objective_at_one_t_alone(metric: str) -> None:
    changes = {**SEARCH, "objective": {"metrics": [metric]}}
    assert make(**changes).objective.metrics == (metric,)
    space = {**SEARCH["search"]["space"], "stream.num_megabatches": {"low": 1, "high": 2}}
    assert "rewards T = 1" in problems_of(**{**changes, "search": {"space": space}})[0]


def test_an_unknown_metric_is_refused_without_a_search_too() -> None:
    assert (
        "did you mean 'service_error'?" in problems_of(objective={"metrics": ["servic_error"]})[0]
    )


@pytest.mark.parametrize("metric", ["service_error", "mean_error"])
def test_an_objective_on_holdout_needs_one(metric: str) -> None:
    fixed = {"training.total_samples": 100, "data.holdout_fraction": 0}
    said = problems_of(**{**SEARCH, "fixed": fixed, "objective": {"metrics": [metric]}})
    assert said[0].startswith("fixed.data.holdout_fraction: is 0")
    space = {**SEARCH["search"]["space"], "data.holdout_fraction": [0.0, 0.1]}
    said = problems_of(**{**SEARCH, "search": {"space": space}})
    assert said[0].startswith("search.space.data.holdout_fraction: is 0")


@pytest.mark.parametrize("gpus", [0, 0.25, 1, 2])
def test_fractions_of_one_gpu_and_whole_gpus_can_be_had(gpus: float) -> None:
    assert make(resources={"gpus_per_trial": gpus}).resources.gpus_per_trial == gpus


def test_a_renamed_study_differs_in_its_name_alone() -> None:
    study = make(**SEARCH)
    other = renamed(study, "a-2")
    assert other.name == "a-2"
    assert renamed(other, "a") == study
    assert other.fingerprint() != study.fingerprint()


@pytest.mark.parametrize("seeds", [8, "decided"])
def test_how_the_best_are_confirmed_is_read_kept_and_told_to_trackers(seeds: object) -> None:
    study = parse_study(raw_search(confirm={"seeds": seeds, "baselines": ["dense"]}))
    assert study.confirm is not None
    assert (study.confirm.top, study.confirm.seeds) == (3, seeds)
    assert study.confirmation == "small-confirm"
    assert parse_study(study.to_dict()) == study
    params = study_info(study, num_trials=1).params
    told = {name: value for name, value in params.items() if name.startswith("confirm.")}
    assert told == {"confirm.top": 3, "confirm.seeds": seeds, "confirm.baselines": "dense"}


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"confirm": {"seeds": 1}}, "confirm.seeds", "at least 2, or decided, got 1"),
        ({"confirm": {"seeds": "settled"}}, "confirm.seeds", "at least 2, or decided"),
        ({"confirm": {"top": 0}}, "confirm.top", "1"),
        ({"confirm": {"baselines": ["one_shot"]}}, "confirm.baselines", "needs dense"),
        ({"confirm": {"baselines": ["sparse"]}}, "confirm.baselines.0", "dense"),
        ({"confirm": {"top": 3}, "name": "n" * 75}, "name", "give at most 72 letters"),
        (
            {"confirm": {}, "fixed": {**SMALL, "data.holdout_fraction": 0}},
            "confirm",
            "judges on the holdout",
        ),
    ],
)
def test_a_confirmation_that_cannot_be_is_refused_where_it_stands(
    changes: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_study(raw_search(**changes))
    told = {problem.path: problem.message for problem in refused.value.problems}
    assert message in told[path]


def test_only_a_search_is_confirmed() -> None:
    raw = {"name": "grid", "axes": {"seed": [0, 1]}, "confirm": {"top": 1}}
    with pytest.raises(ConfigError, match="confirm: runs the best of a search again"):
        parse_study(raw)


@pytest.mark.parametrize("written", ["1e12", "1.0e12", "1000000000000", "1_000_000e6"])
def test_flops_are_written_as_whole_numbers_in_any_form(written: str) -> None:
    study = make(fixed={**UNTIMED, "training.total_flops": read_yaml(written)})
    assert study.compose({}).training.total_flops == 10**12
    assert isinstance(study.compose({}).flat()["training.total_flops"], int)


def test_flops_are_searched_as_whole_numbers() -> None:
    for domain in ([1e12, 2e12], {"low": 1e11, "high": 1e12, "log": True}):
        search = {"space": {"training.total_flops": domain}}
        study = make(**(SEARCH | {"fixed": UNTIMED, "search": search}))
        ends = study.space.dimensions[0].domain.ends()
        assert all(isinstance(value, int) for value in ends)
        assert [t.training.total_flops for t in study.corners()] == list(ends)


@pytest.mark.parametrize("total", [1.5, 0, 1e19, "1e12", True])
def test_what_is_no_number_of_flops_is_refused(total: object) -> None:
    (problem,) = problems_of(fixed={**UNTIMED, "training.total_flops": total})
    assert "training.total_flops" in problem


def test_two_lengths_of_training_are_refused_by_name() -> None:
    (problem,) = problems_of(fixed={**FIXED, "training.total_flops": 10**12})
    assert "exactly one of them (not both total_samples and total_flops)" in problem


def test_a_recorded_trial_has_its_data_where_the_study_finds_it_now() -> None:
    raw = {"name": "moved", "fixed": {**FIXED, "data.dataset": "mnist", "data.root": "/before"}}
    (recorded,) = study_from_raw(raw).corners()
    after = study_from_raw(raw, overrides=["data.root=/after"])
    (expected,) = after.corners()
    assert after.recorded(recorded.to_dict()) == expected
    assert expected.key() == recorded.key()


def test_a_recorded_trial_of_a_study_that_fixes_no_root_is_as_it_was_recorded() -> None:
    study = make()
    (trial,) = study.corners()
    assert study.recorded(trial.to_dict()) == trial


def test_a_whole_number_that_no_float_can_hold_is_called_too_large() -> None:
    (problem,) = problems_of(fixed={**FIXED, "training.momentum": 10**400})
    assert problem.startswith("fixed.training.momentum: is too large: numbers end at 1.8e308, got")
