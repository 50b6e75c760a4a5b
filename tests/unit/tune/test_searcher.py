"""The searcher, driven by hand as Tune drives it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from ray.tune.search import Searcher

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.errors import StudyError
from study.results import Outcome
from study.session.session import StudySession
from study.tracking import names
from study.tune.searcher import StudySearch
from study.tune.worker_deaths import Deaths
from tests.helpers.small_studies import (
    QuietDisplay,
    history,
    raw_search,
    search,
    session,
    two_choices,
)

State = optuna.trial.TrialState
POINTS = [
    {"pruning.schedule": "dense", "stream.num_megabatches": [2, 4]},
    {"pruning.schedule": "app", "pruning.final_density": 0.5, "stream.num_megabatches": 2},
]


class Driver:
    """Stands for Tune: names trials, asks for them and ends them."""

    def __init__(self, study: StudyConfig, path: Path) -> None:
        self.session: StudySession = session(study, path)
        self.deaths = Deaths()
        self.search = StudySearch(
            self.session,
            dataset_of=lambda config: config["data"]["dataset"],
            deaths=self.deaths,
        )
        self.num_asked = 0
        self.keys: dict[str, str] = {}

    def ask(self) -> Any:
        """A trial's id, None or FINISHED."""
        trial_id = f"t{self.num_asked}"
        answer = self.search.suggest(trial_id)
        if not isinstance(answer, Mapping):
            return answer
        self.num_asked += 1
        self.keys[trial_id] = answer["trial_key"]
        self.session.start(answer["trial_key"])
        return trial_id

    def end(self, trial_id: str, outcome: Outcome = Outcome.COMPLETE, error: float = 0.25) -> None:
        key = self.keys[trial_id]
        self.session.report(key, history(2, error=error))
        self.session.finish_trial(key, outcome)
        self.search.on_trial_complete(trial_id, result={})

    def states(self) -> list[optuna.trial.TrialState]:
        assert self.search._proposals is not None
        return [t.state for p in self.search._proposals.proposals for t in p.optuna_study.trials]

    def sources(self) -> list[str]:
        return [trial.source for trial in self.session.record.trials.values()]

    def run_to_the_end(self) -> None:
        while (trial_id := self.ask()) != Searcher.FINISHED:
            self.end(trial_id)


Start = Callable[[StudyConfig], Driver]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a driver; a later one finds the record of the one before."""
    drivers: list[Driver] = []

    def make(study: StudyConfig) -> Driver:
        for earlier in drivers:
            earlier.session.record.close()
        drivers.append(Driver(study, tmp_path / "record.jsonl"))
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.session.record.close()


def test_points_come_first_then_as_many_proposals_as_the_budget_says(start: Start) -> None:
    driver = start(search(points=POINTS, trials=5))
    driver.run_to_the_end()
    assert driver.sources() == ["point"] * 3 + ["search"] * 5
    assert driver.search.is_over
    assert driver.states() == [State.COMPLETE] * 6  # dense lies outside the space


def test_each_trial_says_who_proposed_it_to_the_record_and_to_the_tracker(start: Start) -> None:
    driver = start(search(trials=12, points=[POINTS[1]]))
    driver.run_to_the_end()
    trials = driver.session.record.trials.values()
    marks = [trial.proposed_by for trial in trials]
    assert marks == ["point"] + ["random"] * 4 + ["tpe"] * 8  # TPE learns from the point too
    tags = [driver.session.info(trial.key).tags[names.TAG_PROPOSED_BY] for trial in trials]
    assert tags == marks


def test_cut_trials_are_continued_before_anything_new_starts(start: Start) -> None:
    study = search(points=POINTS, trials=2)
    before = start(study)
    ids = [before.ask() for _ in range(4)]
    before.end(ids[1])
    after = start(study)
    cut = [before.keys[i] for i in (ids[0], ids[2], ids[3])]
    assert not after.search.is_exhausted()
    continued = [after.ask() for _ in range(3)]
    assert [after.keys[i] for i in continued] == cut
    for trial_id in continued:
        after.end(trial_id)
    after.run_to_the_end()
    assert after.sources() == ["point"] * 3 + ["search"] * 2
    assert len(after.keys) == 4
    assert State.RUNNING not in after.states()


def test_a_study_that_has_all_its_trials_is_exhausted_before_it_starts(start: Start) -> None:
    study = search(points=POINTS, trials=2)
    driver = start(study)
    driver.run_to_the_end()
    assert start(study).search.is_exhausted()


def test_a_proposal_with_a_result_is_answered_from_the_record(start: Start) -> None:
    driver = start(two_choices())
    driver.run_to_the_end()
    record = driver.session.record
    assert len(record.trials) == len(driver.keys) == 2
    assert record.repeats
    assert set(driver.states()) == {State.COMPLETE}
    assert len(driver.states()) == 2 + len(record.repeats)


def test_an_exhausted_space_ends_the_search_with_a_notice(start: Start) -> None:
    driver = start(two_choices(trials=40))
    driver.run_to_the_end()
    assert isinstance(driver.session.display, QuietDisplay)
    (notice,) = driver.session.display.notices
    assert "after 2 of 40 proposals" in notice
    assert "exhausted" in notice


def test_a_proposal_that_is_running_waits_for_its_result_and_is_told_it(start: Start) -> None:
    driver = start(two_choices())
    first, second = driver.ask(), driver.ask()
    assert driver.ask() is None
    num_repeats = len(driver.session.record.repeats)
    assert driver.ask() is None
    assert len(driver.session.record.repeats) == num_repeats  # it does not ask on and on
    assert not driver.search.is_over
    driver.end(first, error=0.125)
    driver.end(second, error=0.5)
    assert State.RUNNING not in driver.states()
    assert driver.ask() == Searcher.FINISHED


def test_a_repeat_of_a_running_trial_does_not_keep_another_configuration_back(
    start: Start,
) -> None:
    driver = start(two_choices())
    first, second = driver.ask(), driver.ask()
    assert None not in (first, second)
    assert driver.keys[first] != driver.keys[second]


def test_a_trial_that_the_scheduler_stopped_is_early_stopped_and_pruned(start: Start) -> None:
    driver = start(search(trials=2))
    stopped = driver.ask()
    key = driver.keys[stopped]
    driver.session.report(key, history(1, error=0.01))
    driver.search.on_trial_complete(stopped, result={})
    assert driver.session.record.trials[key].outcome is Outcome.EARLY_STOPPED
    assert driver.states() == [State.PRUNED]


def test_a_trial_whose_worker_died_for_good_fails_with_the_reason(start: Start) -> None:
    driver = start(search(trials=2))
    dead = driver.ask()
    driver.search.on_trial_complete(dead, error=True)
    trial = driver.session.record.trials[driver.keys[dead]]
    assert trial.outcome is Outcome.ERROR
    assert "worker process died" in trial.reason
    assert driver.states() == [State.FAIL]


def test_a_death_that_tune_tells_of_twice_costs_no_trial(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = start(search(trials=1))
    dead = driver.ask()
    assert driver.ask() == Searcher.FINISHED
    with monkeypatch.context() as patch:
        patch.setattr(driver.deaths, "is_counted", lambda _: True)
        driver.search.on_trial_complete(dead, error=True)
    assert driver.search.has_more
    trial = driver.session.record.trials[driver.keys[dead]]
    assert trial.outcome is None
    again = driver.ask()
    assert driver.keys[again] == driver.keys[dead]
    driver.end(again)
    assert trial.outcome is Outcome.COMPLETE
    assert driver.states() == [State.COMPLETE]
    assert not driver.search.has_more


@pytest.mark.parametrize("error", [float("nan"), float("inf")])
def test_an_objective_that_is_no_number_fails_and_never_stays_running(
    start: Start, error: float
) -> None:
    driver = start(search(trials=2))
    driver.end(driver.ask(), error=error)
    assert driver.states() == [State.FAIL]


def test_axes_are_run_through_without_any_sampler(start: Start) -> None:
    plain = search().to_dict()
    raw = {k: v for k, v in plain.items() if k not in ("search", "budget")}
    raw["axes"] = {
        "pruning.schedule": ["dense", "app"],
        "pruning.final_density": [0.5, 0.25],
        "stream.num_megabatches": [2],
    }
    driver = start(parse_study(raw))
    driver.run_to_the_end()
    assert driver.sources() == ["point"] * 3  # dense has no density


def test_an_error_of_the_record_is_kept_for_the_one_who_started_the_search(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = start(search(trials=2))

    def full(*_: object, **__: object) -> None:
        raise StudyError("the disk is full")

    monkeypatch.setattr(driver.session.record, "add_trial", full)
    with pytest.raises(StudyError):
        driver.search.suggest("t0")
    assert [str(error) for error in driver.session.errors] == ["the disk is full"]


def test_tune_is_given_nothing_to_pickle(start: Start) -> None:
    driver = start(search(trials=2))
    assert driver.search.__getstate__() == {}
    with pytest.raises(RuntimeError, match="app-study resume"):
        driver.search.restore("anywhere")


ARMS = {
    "pruning.schedule": ["dense", "app"],
    "pruning.final_density": {"low": 0.1, "high": 1.0, "log": True},
    "stream.num_megabatches": [2, 4],
}


def with_arms(trials: int) -> StudyConfig:
    """Two arms, of which dense has two configurations alone."""
    section = {"space": ARMS, "arms": ["pruning.schedule"], "sampler": "random"}
    return parse_study(raw_search(search=section, budget={"trials": trials}))


def schedules(driver: Driver) -> list[str]:
    return [t.chosen["pruning.schedule"] for t in driver.session.record.trials.values()]


def test_arms_take_turns_and_one_that_is_exhausted_leaves_them_to_the_others(
    start: Start,
) -> None:
    driver = start(with_arms(trials=12))
    driver.run_to_the_end()
    assert schedules(driver) == ["dense", "app"] * 2 + ["app"] * 4
    assert isinstance(driver.session.display, QuietDisplay)
    (notice,) = driver.session.display.notices
    assert "of the arm dense ends after 2 of 6 proposals" in notice


def test_a_killed_search_of_arms_goes_on_where_the_undisturbed_one_would_be(
    start: Start, tmp_path: Path
) -> None:
    study = with_arms(trials=4)
    killed = start(study)
    first = killed.ask()
    killed.end(first)
    killed.ask()  # app's first trial, cut
    after = start(study)
    after.run_to_the_end()
    (tmp_path / "whole").mkdir()
    whole = Driver(study, tmp_path / "whole" / "record.jsonl")
    whole.run_to_the_end()
    whole.session.record.close()
    chosen = [[t.chosen for t in d.session.record.trials.values()] for d in (after, whole)]
    assert chosen[0] == chosen[1]
    assert schedules(after) == ["dense", "app"] * 2


LIMITED = {"metrics": ["service_error"], "constraints": ["final_density <= 0.3"]}


def limited(sampler: str = "tpe", arms: tuple[str, ...] = ()) -> StudyConfig:
    """Half of the range lies beyond the limit."""
    space = {
        "pruning.schedule": ["app", "one_shot"],
        "pruning.final_density": {"low": 0.1, "high": 1.0, "log": True},
        "stream.num_megabatches": [2, 4],
    }
    section = {"space": space, "sampler": sampler, "arms": arms}
    return parse_study(raw_search(search=section, objective=LIMITED, budget={"trials": 16}))


def densities(driver: Driver) -> list[float]:
    return [t.chosen["pruning.final_density"] for t in driver.session.record.trials.values()]


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2"])
def test_what_is_certain_to_break_a_constraint_is_refused_before_it_is_trained(
    start: Start, sampler: str
) -> None:
    driver = start(limited(sampler))
    driver.run_to_the_end()
    refused = driver.session.record.refused
    assert len(densities(driver)) == 16
    assert max(densities(driver)) <= 0.3 * 1.01
    assert refused
    assert min(chosen["pruning.final_density"] for _, chosen in refused) > 0.3
    assert driver.states().count(State.PRUNED) == len(refused)
    assert isinstance(driver.session.display, QuietDisplay)
    (notice,) = driver.session.display.notices
    assert "certain to break final_density <= 0.3 are refused" in notice


def test_a_point_is_trained_whatever_it_breaks(start: Start) -> None:
    study = search(points=POINTS, trials=0, objective=LIMITED)
    driver = start(study)
    driver.run_to_the_end()
    assert driver.sources() == ["point"] * 3


def test_a_resumed_search_knows_what_was_refused_and_goes_on_as_the_undisturbed_one(
    start: Start, tmp_path: Path
) -> None:
    study = limited("random", arms=("pruning.schedule",))
    killed = start(study)
    for _ in range(5):
        killed.end(killed.ask())
    assert killed.session.record.refused
    before = killed.search._proposals
    after = start(study)
    assert before is not None
    assert after.search._proposals is not None
    pairs = zip(before.proposals, after.search._proposals.proposals, strict=True)
    for one, other in pairs:
        living, rebuilt = (
            [(t.state, t.params, t.constraints) for t in p.optuna_study.trials]
            for p in (one, other)
        )
        assert living == rebuilt
    after.run_to_the_end()
    (tmp_path / "whole").mkdir()
    whole = Driver(study, tmp_path / "whole" / "record.jsonl")
    whole.run_to_the_end()
    whole.session.record.close()
    assert densities(after) == densities(whole)


def test_a_space_in_which_nothing_keeps_the_constraint_ends_with_a_notice(start: Start) -> None:
    study = limited("random")
    raw = study.to_dict()
    raw["search"]["space"]["pruning.final_density"]["low"] = 0.5
    driver = start(parse_study(raw))
    driver.run_to_the_end()
    assert densities(driver) == []
    assert isinstance(driver.session.display, QuietDisplay)
    assert "certain to break a constraint" in driver.session.display.notices[-1]
