"""What a study's confirmation is told to take and to decide before anything is run."""

from typing import Any

import pytest

from analysis.statistics.sequential import LOOKS
from study.config.confirm_sections import ConfirmSection
from study.config.study import parse_study
from study.operations.plan import plan_study
from study.workflow.confirmation import decidable, options_of, settings_lines
from tests.helpers.small_studies import FIXED, raw_search


def lines(num_holdout: int, **changes: Any) -> list[str]:
    return decidable(parse_study(raw_search(**changes)), num_holdout)


def test_what_a_small_holdout_leaves_undecided_is_told_with_what_would_help() -> None:
    assert lines(165) == [
        "165 holdout examples: with 8 fresh seeds differences from dense below about 1.5 points "
        "will stay undecided (of single networks, below 3). The margin is 1: give more examples "
        "(data.holdout_fraction) or a larger objective.margin."
    ]
    assert lines(1000)[0].endswith("; the margin is 1.")
    assert lines(360, confirm={"seeds": 4})[0].endswith("or more seeds (confirm.seeds).")
    assert "with 32 fresh seeds" in lines(360, confirm={"seeds": "decided"})[0]


def test_without_a_holdout_or_a_search_nothing_is_told() -> None:
    assert lines(0) == []
    fixed = {**FIXED, "pruning.schedule": "dense"}
    grid = parse_study({"name": "grid", "fixed": fixed, "axes": {"seed": [0, 1]}})
    assert decidable(grid, 165) == []


@pytest.mark.parametrize(
    ("section", "most"),
    [
        ({"baselines": ("dense",), "seeds": 10}, 40),
        ({}, 56),
        ({"top": 1, "seeds": "decided"}, 3 * max(LOOKS)),
    ],
)
def test_the_most_trials_are_those_of_every_arm(section: dict[str, Any], most: int) -> None:
    assert options_of(ConfirmSection.model_validate(section)).most_trials == most


def test_a_plan_counts_what_confirms() -> None:
    study = parse_study(raw_search())
    alone = plan_study(study, max_concurrent=1)
    assert alone.num_holdout > 0
    twice = plan_study(study, max_concurrent=1, num_confirming=study.num_trials)
    assert twice.total("samples") == pytest.approx(2 * alone.total("samples"))


@pytest.mark.parametrize(
    ("tuned", "of_trial_7"),
    [
        (["pruning.granularity"], "one_shot at T = 2 (7)"),
        (["pruning.criterion", "training.lr"], "dense at T = 2 (7), one_shot at T = 2 (7)"),
    ],
)
def test_whose_settings_a_baseline_has_is_told_where_they_do_anything_to_it(
    tuned: list[str], of_trial_7: str
) -> None:
    fixed = {**FIXED, "stream.num_megabatches": 2, "pruning.granularity": "channel"}
    density = {"pruning.final_density": [0.5]}
    axes = [
        {"pruning.schedule": ["app"], **density},
        {"pruning.schedule": ["dense"]},
        {"pruning.schedule": ["one_shot"], **density},
    ]
    arms = [{"trial": 7}, {"baseline_of": [7]}, {"baseline_of": [7]}]
    confirms = {"study": "small", "metric": "service_error", "tuned": tuned, "arms": arms}
    study = parse_study({"name": "again", "fixed": fixed, "axes": axes, "confirms": confirms})
    assert settings_lines(study) == [
        f"Baselines that the search did not tune, with the {', '.join(tuned)} of the trials that "
        f"they are compared with: {of_trial_7}."
    ]
