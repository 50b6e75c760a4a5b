"""A baseline is run with the settings in which it was best, where the study has tuned it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.operations.confirm import confirming_study
from study.operations.confirm_arms import baselines, confirmed_arms
from study.operations.confirm_choice import ConfirmOptions
from study.operations.confirm_settings import tuned_baselines
from study.operations.opened_study import OpenedStudy
from study.results import Outcome, TrialHistory
from study.store.folder import StudyFolder
from study.store.record import Record, RecordedTrial
from tests.helpers.small_studies import history, raw_search

SPACE: dict[str, Any] = {
    "pruning.schedule": ["dense", "app", "one_shot"],
    "pruning.final_density": {"low": 0.02, "high": 1.0, "log": True},
    "stream.num_megabatches": [2, 4],
    "training.lr": {"low": 0.001, "high": 1.0, "log": True},
}
Tried = tuple[str, int, float, float, float]  # schedule, T, density, learning rate, error
WINNER: Tried = ("app", 2, 0.1, 0.3, 0.1)


def ended(error: float, density: float) -> TrialHistory:
    made = history(2, error=error)
    summary = {"service_error": error, "final_density": density}
    last = replace(made.megabatches[-1], summary=summary)
    return TrialHistory(made.epochs, (*made.megabatches[:-1], last))


def searched(tried: Sequence[Tried]) -> OpenedStudy:
    study = parse_study(
        raw_search(objective={"metrics": ["service_error"]}) | {"search": {"space": SPACE}}
    )
    record = Record()
    for number, (schedule, length, density, lr, error) in enumerate(tried):
        chosen = {
            "pruning.schedule": schedule,
            "stream.num_megabatches": length,
            "training.lr": lr,
        }
        if schedule != "dense":
            chosen["pruning.final_density"] = density
        record.trials[str(number)] = RecordedTrial(
            str(number),
            number,
            "search",
            chosen,
            study.compose(chosen).to_dict(),
            ended(error, density),
            Outcome.COMPLETE,
        )
    return OpenedStudy(study, StudyFolder(Path("none")), record)


def settings(tried: Sequence[Tried]) -> dict[str, tuple[float, int | None]]:
    """Schedule of each baseline of the first trial → its learning rate, and whose that is."""
    opened = searched(tried)
    first = opened.record.trials["0"]
    tuned = tuned_baselines(opened.study, opened.record, "service_error")
    arms = confirmed_arms([(first, opened.trial(first))], ("dense", "one_shot"), tuned)
    return {
        arm.config.pruning.schedule: (arm.config.training.lr, arm.settings_of)
        for arm in arms
        if arm.chosen is None
    }


def test_a_baseline_that_was_tuned_has_the_settings_in_which_it_was_best() -> None:
    found = settings(
        [
            WINNER,
            ("dense", 2, 1.0, 0.01, 0.2),
            ("dense", 2, 1.0, 0.02, 0.1),
            ("one_shot", 2, 0.15, 0.04, 0.3),
            ("one_shot", 2, 0.06, 0.05, 0.2),
        ]
    )
    assert found == {"dense": (0.02, 2), "one_shot": (0.05, 4)}


@pytest.mark.parametrize(
    "others",
    [
        (),
        (("dense", 2, 1.0, 0.01, 0.2),),  # the only one is no choice
        (("dense", 4, 1.0, 0.01, 0.2), ("dense", 4, 1.0, 0.02, 0.1)),  # at another T
        (("dense", 2, 1.0, 0.01, 0.2), ("dense", 4, 1.0, 0.02, 0.1)),
    ],
)
def test_one_that_was_not_has_the_settings_of_the_trial_it_is_compared_with(
    others: tuple[Tried, ...],
) -> None:
    assert settings([WINNER, *others]) == {"dense": (0.3, None), "one_shot": (0.3, None)}


def test_settings_are_taken_from_like_densities_alone_and_the_density_is_the_trials() -> None:
    far = [("one_shot", 2, 0.5, 0.01, 0.05), ("one_shot", 2, 0.9, 0.02, 0.05)]
    near = [("one_shot", 2, 0.19, 0.03, 0.3), ("one_shot", 2, 0.055, 0.04, 0.4)]
    assert settings([WINNER, *far])["one_shot"] == (0.3, None)
    assert settings([WINNER, *far, *near])["one_shot"] == (0.03, 3)
    opened = searched([WINNER, *far, *near])
    first = opened.record.trials["0"]
    tuned = tuned_baselines(opened.study, opened.record, "service_error")
    _, one_shot = baselines(first, opened.trial(first))
    own, _ = tuned.with_own_settings(one_shot) or (None, None)
    assert own is not None
    assert own.pruning == one_shot.pruning
    assert own.stream == one_shot.stream


def test_the_study_file_says_whose_settings_a_baseline_has() -> None:
    tried = [WINNER, ("dense", 2, 1.0, 0.01, 0.2), ("dense", 2, 1.0, 0.02, 0.1)]
    made = confirming_study(searched(tried), ConfirmOptions(num_seeds=2, trials=("0",)), "c")
    again: StudyConfig = parse_study(made.to_dict())
    assert again.confirms is not None
    assert [arm.settings_of for arm in again.confirms.arms] == [None, 2, None]
    assert {t.pruning.schedule: t.training.lr for t in again.corners()} == {
        "app": 0.3,
        "dense": 0.02,
        "one_shot": 0.3,
    }
