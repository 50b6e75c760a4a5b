"""What a sampler is told of thousands of trials is bounded, and the same after a resume."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.results import Outcome
from study.search import known_trials
from study.search.arms import SearchedArms
from study.search.explored import most_redrawn
from study.search.known_trials import (
    MOST_KNOWN,
    NUM_BEST,
    NUM_LATEST,
    NUM_NEW,
    KnownTrial,
    KnownTrials,
)
from study.search.optuna_result import OptunaResult
from study.search.optuna_study import Proposals
from study.store.record import Record
from tests.helpers.small_studies import history, raw_search

ONE = ("service_error",)
TWO = ("service_error", "final_density")
SMALL = {"NUM_BEST": 6, "NUM_LATEST": 10, "NUM_NEW": 4, "MOST_KNOWN": 20}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a quick search reaches."""
    for name, value in SMALL.items():
        monkeypatch.setattr(known_trials, name, value)


def complete(*values: float, **violations: float) -> OptunaResult:
    return OptunaResult(TrialState.COMPLETE, values, {}, violations)


def stopped(step: int, value: float) -> OptunaResult:
    return OptunaResult(TrialState.PRUNED, None, {step: value}, {})


def told(results: Sequence[OptunaResult | None], metrics: tuple[str, ...]) -> list[KnownTrial]:
    """What is left of trials with these results."""
    known = KnownTrials(metrics, keeps_all=False)
    for number, result in enumerate(results):
        known.make_room()
        known.add(KnownTrial({"number": number}, (), result))
    return list(known)


def numbers(trials: Sequence[KnownTrial]) -> list[int]:
    return [trial.chosen["number"] for trial in trials]


@pytest.mark.parametrize("metrics", [ONE, TWO])
def test_of_many_trials_the_latest_and_the_best_are_told_in_their_order(
    metrics: tuple[str, ...],
) -> None:
    rng = random.Random(0)
    results = [complete(*(rng.random() for _ in metrics)) for _ in range(2000)]
    left = told(results, metrics)
    assert len(left) <= MOST_KNOWN
    assert numbers(left) == sorted(numbers(left))
    assert set(range(2000 - NUM_LATEST, 2000)) <= set(numbers(left))
    for index in range(len(metrics)):
        best = min(range(2000), key=lambda n: (results[n].values or ())[index])
        assert best in numbers(left)
    if metrics == ONE:
        ranked = sorted(range(2000 - NUM_LATEST - NUM_NEW), key=lambda n: results[n].values or ())
        assert set(ranked[:NUM_BEST]) <= set(numbers(left))


def test_up_to_its_bound_everything_is_told() -> None:
    results = [complete(0.1)] * MOST_KNOWN
    assert numbers(told(results, ONE)) == list(range(MOST_KNOWN))


def test_a_running_trial_is_never_left_out() -> None:
    results = [None, *[complete(0.1)] * 2000]
    assert numbers(told(results, ONE))[0] == 0


@pytest.mark.usefixtures("small")
def test_the_best_are_complete_then_stopped_late_then_least_in_breach() -> None:
    older: list[OptunaResult | None] = [
        stopped(25, 0.1),
        stopped(75, 0.4),
        complete(0.01, limit=2.0),
        stopped(75, 0.3),
        complete(0.9),
        OptunaResult(TrialState.FAIL, None, {}, {}),
        complete(0.01, limit=0.1),
        complete(0.5),
        complete(0.01, limit=1.0),
        stopped(50, 0.2),
    ]
    left = numbers(told([*older, *[complete(0.2)] * 11], ONE))
    assert left[: SMALL["NUM_BEST"]] == [0, 1, 3, 4, 7, 9]


def test_of_a_front_too_long_its_ends_are_kept() -> None:
    results = [complete(n / 2000, 1 - n / 2000) for n in range(2000)]
    random.Random(0).shuffle(results)
    values = [trial.result.values for trial in told(results, TWO) if trial.result]
    assert {(0.0, 1.0), (1999 / 2000, 1 - 1999 / 2000)} <= set(values)


def test_what_is_told_does_not_depend_on_when_trials_end() -> None:
    rng = random.Random(1)
    results = [complete(rng.random(), rng.random()) for _ in range(1500)]
    living, running = KnownTrials(TWO, keeps_all=False), list[KnownTrial]()
    for number in range(len(results)):
        living.make_room()
        running.append(living.add(KnownTrial({"number": number}, ())))
        while running and (
            rng.random() < 0.5 or number - running[0].chosen["number"] >= NUM_LATEST - 1
        ):
            is_oldest_due = rng.random() < 0.5
            ended = running.pop(0 if is_oldest_due else rng.randrange(len(running)))
            ended.end(results[ended.chosen["number"]], "")
    assert numbers(list(living)) == numbers(told(results, TWO))


LR, DENSITY = "training.lr", "pruning.final_density"


def search(sampler: str = "tpe", *, arms: tuple[str, ...] = (), trials: int = 60) -> StudyConfig:
    space = {
        "pruning.schedule": ["app", "one_shot"],
        DENSITY: {"low": 0.1, "high": 1.0},
        LR: {"low": 0.01, "high": 1.0, "log": True},
    }
    section = {"space": space, "sampler": sampler, "arms": arms}
    return parse_study(
        raw_search(search=section, objective={"metrics": ["service_error"]})
        | {"budget": {"trials": trials}}
    )


class Search:
    """Goes on through its record, with some trials at once."""

    def __init__(self, study: StudyConfig, record: Record, *, at_once: int = 1) -> None:
        self.study, self.record, self.at_once = study, record, at_once
        self.arms = SearchedArms(study, record)
        self.running: list[tuple[Proposals, optuna.Trial, str]] = []

    def go_on(self, number: int) -> None:
        for _ in range(number):
            proposals = self.arms.next()
            assert proposals is not None
            trial, chosen = proposals.ask()
            key = self.study.compose(chosen).key()
            self.record.add_trial(key, source="search", chosen=chosen, config={})
            self.running.append((proposals, trial, key))
            while len(self.running) >= self.at_once:
                self.end()

    def end(self) -> None:
        proposals, trial, key = self.running.pop(0)
        chosen: Any = self.record.trials[key].chosen
        error = abs(chosen[LR] - 0.1) + abs(chosen[DENSITY] - 0.4)
        self.record.add_history(key, history(2, error=error))
        self.record.add_outcome(key, Outcome.COMPLETE)
        proposals.tell(trial, self.record.trials[key])


def chosen_of(record: Record) -> list[Any]:
    return [trial.chosen for trial in record.trials.values()]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("parts", [(60,), (41, 59), (13, 70, 17)])
def test_a_resumed_search_of_many_trials_proposes_what_the_undisturbed_one_does(
    tmp_path: Path, parts: tuple[int, ...]
) -> None:
    study = search(arms=("pruning.schedule",), trials=100)
    with Record.open(tmp_path / "whole") as record:
        Search(study, record).go_on(100)
        whole = chosen_of(record)
    for part in parts:
        with Record.open(tmp_path / "parts") as record:
            Search(study, record).go_on(part)
    resumed = chosen_of(Record.read(tmp_path / "parts"))
    assert resumed == whole[: len(resumed)]


@pytest.mark.usefixtures("small")
def test_optuna_holds_a_bounded_number_of_trials_and_is_told_those_that_ran_meanwhile(
    tmp_path: Path,
) -> None:
    with Record.open(tmp_path / "r") as record:
        going = Search(search(), record, at_once=5)
        for _ in range(60):
            going.go_on(1)
            (proposals,) = going.arms.proposals
            held = proposals.optuna_study.get_trials(deepcopy=False)
            told = [t for t in held if t.state != TrialState.FAIL]
            assert len(told) <= SMALL["MOST_KNOWN"] + 5
            running = {t.params[LR] for t in held if t.state == TrialState.RUNNING}
            assert running == {record.trials[key].chosen[LR] for _, _, key in going.running}
        while going.running:
            going.end()
        latest = {chosen[LR] for chosen in chosen_of(record)[-SMALL["NUM_LATEST"] :]}
        held = proposals.optuna_study.get_trials(states=[TrialState.COMPLETE])
        assert latest <= {t.params[LR] for t in held}
        best = min(t.final_values["service_error"] for t in record.trials.values())
        assert min(t.value or 0.0 for t in held) == best


def num_asks(proposals: Proposals) -> int:
    """How often Optuna is asked for a proposal, which then fails."""
    before = len(proposals.optuna_study.get_trials(deepcopy=False))
    proposals.fail(proposals.ask()[0])
    return len(proposals.optuna_study.get_trials(deepcopy=False)) - before


def test_the_more_trials_are_known_the_fewer_proposals_are_drawn_anew(tmp_path: Path) -> None:
    assert [most_redrawn(n) for n in (0, 1, 50, 100, 150, 200)] == [30, 30, 30, 3, 1, 0]
    rng = random.Random(0)
    with Record.open(tmp_path / "r") as record:
        for number in range(1, 161):
            lr = 0.01 + 0.99 * rng.random()
            chosen = {"pruning.schedule": "app", DENSITY: rng.uniform(0.1, 1), LR: lr}
            record.add_trial(str(number), source="search", chosen=chosen, config={})
            record.add_history(str(number), history(2, error=chosen[DENSITY]))
            record.add_outcome(str(number), Outcome.COMPLETE)
            if number in (50, 100, 160):
                proposals = Proposals(search(), record)
                asks = max(num_asks(proposals) for _ in range(5))
                assert 1 + (number < 160) <= asks <= 1 + most_redrawn(number)
