"""Arms are tuned apart, with the same effort at every moment."""

from pathlib import Path
from typing import Any

import pytest

from study.config.problems import ConfigError
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.results import Outcome
from study.search.arms import SearchedArms
from study.search.early_stopping import make_stopping
from study.search.optuna_study import Proposals
from study.store.record import Record, RecordedTrial
from study.tracking import names
from study.trial.datasets import dataset_key, load_dataset
from study.trial.description import TrialDescriber
from study.trial.study_description import study_info
from tests.helpers.small_studies import history, raw_search

SPACE: dict[str, Any] = {
    "pruning.schedule": ["dense", "app", "one_shot"],
    "pruning.criterion": ["snip", "magnitude"],
    "pruning.final_density": {"low": 0.1, "high": 0.3, "log": True},
    "training.lr": {"low": 0.01, "high": 0.5, "log": True},
    "stream.num_megabatches": [2, 4],
}
ARMS = ("pruning.schedule",)


def raw(*, trials: int = 12, space: Any = None, **section: Any) -> dict[str, Any]:
    """A search with arms as a study file says it."""
    fixed = {p: v for p, v in raw_search()["fixed"].items() if p != "pruning.criterion"}
    search = {"space": space or SPACE, "arms": list(ARMS), "sampler": "random", **section}
    return raw_search(
        fixed=fixed,
        search=search,
        objective={"metrics": ["service_error"]},
        budget={"trials": trials},
    )


def study(**settings: Any) -> StudyConfig:
    return parse_study(raw(**settings))


class Search:
    """A search that goes on through its record, a trial at a time."""

    def __init__(self, study: StudyConfig, record: Record) -> None:
        self.study = study
        self.record = record
        self.arms = SearchedArms(study, record)

    def go_on(self, number: int, *, penalty: str = "") -> list[dict[str, Any]]:
        """So many trials more; those under the schedule ``penalty`` end badly."""
        proposed = []
        for _ in range(number):
            proposals = self.arms.next()
            if proposals is None:
                break
            optuna_trial, chosen = proposals.ask()
            key = self.study.compose(chosen).key()
            self.record.add_trial(key, source="search", chosen=chosen, config={})
            error = chosen["training.lr"] + 0.5 * (chosen["pruning.schedule"] == penalty)
            self.record.add_history(key, history(2, error=error))
            self.record.add_outcome(key, Outcome.COMPLETE)
            self.arms.tell(optuna_trial, self.record.trials[key])
            proposed.append(chosen)
        return proposed


def searched(
    study: StudyConfig, path: Path, *parts: int, penalty: str = ""
) -> list[dict[str, Any]]:
    """The proposals of a search that is interrupted after each of ``parts``."""
    proposed = []
    for number in parts:
        with Record.open(path) as record:
            proposed += Search(study, record).go_on(number, penalty=penalty)
    return proposed


def of(schedule: str, proposed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chosen for chosen in proposed if chosen["pruning.schedule"] == schedule]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_at_every_moment_no_arm_is_more_than_one_trial_ahead(tmp_path: Path, sampler: str) -> None:
    proposed = searched(study(sampler=sampler), tmp_path / "r", 12)
    for n in range(1, 13):
        numbers = [len(of(name, proposed[:n])) for name in SPACE["pruning.schedule"]]
        assert max(numbers) - min(numbers) <= 1
    assert numbers == [4, 4, 4]


def test_a_search_of_arms_ends_when_each_has_had_its_share(tmp_path: Path) -> None:
    assert len(searched(study(trials=6), tmp_path / "r", 100)) == 6


def test_how_many_each_arm_has_proposed_is_what_the_record_says(tmp_path: Path) -> None:
    arms = study()
    with Record.open(tmp_path / "r") as record:
        search = Search(arms, record)
        for number in (1, 4, 2):
            proposed = search.go_on(number)
            record.add_trial(f"point {number}", source="point", chosen=proposed[0], config={})
            of_record = [t.chosen for t in record.trials.values() if t.source == "search"]
            says = {name: len(of(name, of_record)) for name in SPACE["pruning.schedule"]}
            assert search.arms.num_proposed() == says
            assert SearchedArms(arms, record).num_proposed() == says


def test_an_arm_searches_only_what_does_something_in_it(tmp_path: Path) -> None:
    for chosen in searched(study(), tmp_path / "r", 12):
        is_dense = chosen["pruning.schedule"] == "dense"
        assert ("pruning.criterion" in chosen) != is_dense
        assert ("pruning.final_density" in chosen) != is_dense


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("parts", [(1, 35), (16, 7, 13), (35, 1)])
def test_an_interrupted_search_proposes_what_an_undisturbed_one_does(
    tmp_path: Path, sampler: str, parts: tuple[int, ...]
) -> None:
    arms = study(sampler=sampler, trials=36)
    whole = searched(arms, tmp_path / "whole", 36)
    assert searched(arms, tmp_path / "parts", *parts) == whole


def test_a_sampler_knows_the_trials_of_its_own_arm_alone(tmp_path: Path) -> None:
    # Enough for TPE to use what it knows: were others' results known to it, it would differ.
    arms = study(sampler="tpe", trials=60)
    even = searched(arms, tmp_path / "even", 60)
    uneven = searched(arms, tmp_path / "uneven", 60, penalty="dense")
    assert of("app", even) == of("app", uneven)
    with Record.open(tmp_path / "even") as record:
        for proposals in SearchedArms(arms, record).proposals:
            assert proposals.arm is not None
            known = [t.user_attrs["trial_key"] for t in proposals.optuna_study.trials]
            own = proposals.arm["pruning.schedule"]
            keys = [k for k, t in record.trials.items() if t.chosen["pruning.schedule"] == own]
            assert known == keys


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_arms_are_searched_as_each_would_be_alone(tmp_path: Path, sampler: str) -> None:
    together = searched(study(sampler=sampler, trials=36), tmp_path / "together", 36)
    for name in SPACE["pruning.schedule"]:
        if name == "dense":
            continue  # its file would search settings that do nothing
        space = {**SPACE, "pruning.schedule": [name]}
        alone = searched(study(sampler=sampler, trials=12, space=space), tmp_path / name, 12)
        assert of(name, together) == alone


def test_combinations_of_several_choices_are_arms_and_what_does_nothing_makes_none() -> None:
    found = study(arms=["pruning.schedule", "pruning.criterion"], trials=10).search_arms
    assert [tuple(arm.values()) for arm in found] == [
        ("dense",),
        ("app", "snip"),
        ("app", "magnitude"),
        ("one_shot", "snip"),
        ("one_shot", "magnitude"),
    ]


def test_points_belong_to_their_arm_which_knows_them_and_take_turns() -> None:
    shared = {"training.lr": 0.1, "stream.num_megabatches": [2, 4]}
    arms = study(
        points=[
            {"pruning.schedule": "dense", **shared},
            {
                "pruning.schedule": ["app", "one_shot"],
                "pruning.final_density": 0.2,
                "pruning.criterion": "snip",
                **shared,
            },
        ]
    )
    assert [p["pruning.schedule"] for p in arms.points] == ["dense", "app", "one_shot"] * 2
    known = SearchedArms(arms, Record())
    for chosen in arms.points:
        assert known.enqueue(chosen) is not None
    assert [len(p.optuna_study.trials) for p in known.proposals] == [2, 2, 2]


def test_a_trial_is_stopped_for_being_behind_its_own_arm_alone() -> None:
    arms = study(stopping={"name": "asha", "first_rung": 0.5})
    stopping = make_stopping(arms)

    def is_stopped(number: int, schedule: str, error: float) -> bool:
        chosen = {
            "pruning.schedule": schedule,
            "pruning.criterion": "snip",
            "pruning.final_density": 0.2,
            "training.lr": 0.1 + number / 100,
            "stream.num_megabatches": 2,
        }
        trial = arms.compose(chosen)
        recorded = RecordedTrial(trial.key(), number, "search", chosen, trial.to_dict())
        return stopping.stops(recorded, history(1, of=2, error=error).megabatches)

    assert not any(is_stopped(n, "app", 0.1) for n in range(8))
    assert not is_stopped(8, "one_shot", 0.4)
    assert is_stopped(9, "app", 0.4)


def test_a_study_without_arms_has_one_sampler_for_all(tmp_path: Path) -> None:
    plain = study(arms=[])
    with Record.open(tmp_path / "r") as record:
        asked = [SearchedArms(plain, record).proposals[0].ask()[1] for _ in range(1)]
    assert asked == [Proposals(plain, Record()).ask()[1]]
    assert plain.proposals_per_arm == plain.num_proposals == 12


@pytest.mark.parametrize(
    ("settings", "path", "words"),
    [
        ({"arms": ["pruning.schedul"]}, "search.arms", "did you mean 'pruning.schedule'"),
        ({"arms": ["training.lr"]}, "search.arms", "is a range"),
        ({"arms": ["pruning.criterion"]}, "search.arms", "add that to the arms"),
        ({"arms": [*ARMS, *ARMS]}, "search.arms", "2 times"),
        ({"trials": 13}, "budget.trials", "give 12 or 15"),
        ({"trials": 2}, "budget.trials", "give 3"),
        ({"warm_start": ["earlier"]}, "search.warm_start", "leave it or search.arms out"),
        (
            {"points": [{"pruning.schedule": "dense", "training.lr": 0.1,
                         "stream.num_megabatches": 2}]},
            "search.points",
            "dense 1 point, app 0 points, one_shot 0 points",
        ),
    ],
)  # fmt: skip
def test_arms_that_could_not_be_given_the_same_effort_are_refused(
    settings: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        study(**settings)
    assert [p.path for p in refused.value.problems] == [path]
    assert words in str(refused.value)


def test_a_grid_has_no_equal_shares() -> None:
    steps = {"training.lr": [0.1, 0.2], "pruning.final_density": [0.1, 0.2]}
    with pytest.raises(ConfigError, match=r"search\.sampler"):
        study(sampler="grid", space=SPACE | steps)


def test_trackers_are_given_the_names_of_the_arms_and_each_trials_arm() -> None:
    arms = study()
    assert study_info(arms, num_trials=12).params[names.PARAM_ARMS] == "dense,app,one_shot"
    trial = next(arms.corners())
    key = dataset_key(trial.data)
    info = TrialDescriber(arms, {key: load_dataset(key)}).describe(trial, number=0)
    assert info.tags[names.TAG_ARM] == trial.pruning.schedule
