"""What Optuna knows is what the record says, and nothing else."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from study.config.study import parse_study
from study.results import Outcome
from study.search.optuna_study import Proposals
from study.search.samplers import NUM_STARTUP
from study.store.record import Record, RecordedTrial
from tests.helpers.small_studies import FIXED, SPACE, history, raw_search, search

UNCONDITIONAL: dict[str, Any] = {
    "pruning.final_density": {"low": 0.1, "high": 1.0, "log": True},
    "stream.num_megabatches": [2, 4],
}
GRID: dict[str, Any] = {
    "pruning.schedule": ["app", "geometric"],
    "pruning.final_density": [0.1, 0.5],
    "pruning.rate": {"low": 0.1, "high": 0.3, "step": 0.1},
    "stream.num_megabatches": [2, 4],
}
State = optuna.trial.TrialState
ENDS = [
    (Outcome.COMPLETE, 0.2, State.COMPLETE),
    (Outcome.EARLY_STOPPED, 0.1, State.PRUNED),
    (Outcome.ERROR, 0.1, State.FAIL),
    (Outcome.COMPLETE, float("nan"), State.FAIL),
    (Outcome.COMPLETE, float("inf"), State.FAIL),
]


def ended(record: Record, key: str, outcome: Outcome, error: float) -> RecordedTrial:
    record.add_history(key, history(2, error=error))
    record.add_outcome(key, outcome)
    return record.trials[key]


def known(proposals: Proposals) -> list[tuple[Any, ...]]:
    return [(t.state, t.values, t.params) for t in proposals.optuna_study.trials]


def asked(proposals: Proposals, number: int) -> list[dict[str, Any]]:
    return [proposals.ask()[1] for _ in range(number)]


def test_a_conditional_path_is_proposed_exactly_where_it_has_a_meaning() -> None:
    study = search(trials=30)
    with_rate = set()
    for chosen in asked(Proposals(study, Record()), 30):
        assert ("pruning.rate" in chosen) == (chosen["pruning.schedule"] == "geometric")
        assert ("pruning.final_density" in chosen) != ("pruning.rate" in chosen)
        assert study.compose(chosen).flat()["pruning.schedule"] == chosen["pruning.schedule"]
        with_rate.add("pruning.rate" in chosen)
    assert with_rate == {True, False}


@pytest.mark.parametrize(
    ("sampler", "learned"),
    [("random", "random"), ("tpe", "tpe"), ("gp", "gp"), ("nsga2", "nsga2")],
)
def test_a_proposal_is_marked_as_random_until_the_sampler_has_learned_from_enough(
    tmp_path: Path, sampler: str, learned: str
) -> None:
    study = parse_study(
        raw_search(
            search={"space": UNCONDITIONAL, "sampler": sampler},
            objective={"metrics": ["service_error"]},
            fixed={**FIXED, "pruning.schedule": "app"},
        )
    )
    # NSGA-II's first generation, the others' start; random is random for ever.
    first = 20 if sampler == "nsga2" else NUM_STARTUP.get(sampler, 5)
    marks = []
    with Record.open(tmp_path / "r") as record:
        proposals = Proposals(study, record)
        for number in range(first + 3):
            trial, chosen = proposals.ask()
            marks.append(proposals.proposed_by(trial))
            key = str(number)
            record.add_trial(key, source="search", chosen=chosen, config={}, proposed_by=marks[-1])
            proposals.tell(trial, ended(record, key, Outcome.COMPLETE, 0.1 + 0.01 * number))
    assert marks == ["random"] * first + [learned] * 3
    known = Record.read(tmp_path / "r").trials.values()
    assert [trial.proposed_by for trial in known] == marks


def test_points_count_for_the_start_and_failed_trials_do_not(tmp_path: Path) -> None:
    with Record.open(tmp_path / "r") as record:
        study = search(objective={"metrics": ["service_error"]})
        proposals = Proposals(study, record)
        for number in range(NUM_STARTUP["tpe"]):
            point = proposals.enqueue(proposals.ask()[1])
            assert point is not None
            outcome = Outcome.ERROR if number == 0 else Outcome.COMPLETE
            record.add_trial(str(number), source="point", chosen={}, config={})
            proposals.tell(point, ended(record, str(number), outcome, 0.2))
        trial, _ = proposals.ask()
        assert proposals.proposed_by(trial) == "random"
        record.add_trial("10", source="search", chosen={}, config={})
        proposals.tell(trial, ended(record, "10", Outcome.EARLY_STOPPED, 0.2))
        assert proposals.proposed_by(proposals.ask()[0]) == "tpe"


@pytest.mark.parametrize(("outcome", "error", "state"), ENDS)
def test_a_trial_is_complete_pruned_or_failed_to_optuna(
    tmp_path: Path, outcome: Outcome, error: float, state: optuna.trial.TrialState
) -> None:
    with Record.open(tmp_path / "r") as record:
        proposals = Proposals(search(), record)
        trial, chosen = proposals.ask()
        record.add_trial("a", source="search", chosen=chosen, config={})
        proposals.tell(trial, ended(record, "a", outcome, error))
        told = proposals.optuna_study.trials[0]
        assert told.state is state
        assert told.values == ([0.2, 0.5] if state is State.COMPLETE else None)


def test_a_stopped_trial_is_ranked_by_how_far_it_came_and_how_well_living_and_rebuilt(
    tmp_path: Path,
) -> None:
    study = search(objective={"metrics": ["service_error"]})
    with Record.open(tmp_path / "r") as record:
        proposals = Proposals(study, record)
        trial, chosen = proposals.ask()
        record.add_trial("a", source="search", chosen=chosen, config={})
        record.add_history("a", history(1, of=2, error=0.125))
        record.add_outcome("a", Outcome.EARLY_STOPPED)
        proposals.tell(trial, record.trials["a"])
        for known_by in (proposals, Proposals(study, record)):
            (told,) = known_by.optuna_study.trials
            assert told.state is State.PRUNED
            assert told.intermediate_values == {50: 0.125}


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_a_constraint_that_a_result_breaks_is_known_to_optuna_living_and_rebuilt(
    tmp_path: Path, sampler: str
) -> None:
    raw = raw_search(
        search={"space": UNCONDITIONAL, "sampler": sampler},
        objective={"metrics": ["service_error"], "constraints": ["final_density <= 0.2"]},
        fixed=FIXED | {"pruning.schedule": "app"},
        budget={"trials": 4},
    )
    study = parse_study(raw)
    with Record.open(tmp_path / "r") as record:
        proposals = Proposals(study, record)
        for number in range(24):  # enough for the sampler to use what it knows
            trial, chosen = proposals.ask()
            record.add_trial(str(number), source="search", chosen=chosen, config={})
            proposals.tell(trial, ended(record, str(number), Outcome.COMPLETE, 0.1 + number / 100))
        for known_by in (proposals, Proposals(study, record)):
            for told in known_by.optuna_study.trials:
                if told.state is State.FAIL:  # drawn anew, since it was beside another
                    continue
                assert told.constraints == {"final_density <= 0.2": pytest.approx(1.49)}
            assert len(asked(known_by, 2)) == 2


def test_a_grid_proposes_every_cell_once_in_an_order_of_its_seed_and_goes_on_where_it_was(
    tmp_path: Path,
) -> None:
    raw = raw_search(search={"space": GRID, "sampler": "grid"}, budget={})
    study = parse_study(raw)
    assert study.num_proposals == 2 * 2 + 2 * 3  # a density with app, a rate with geometric
    with Record.open(tmp_path / "r") as record:
        proposals = Proposals(study, record)
        first = asked(proposals, 4)
        for number, chosen in enumerate(first):
            record.add_trial(str(number), source="search", chosen=chosen, config={})
            ended(record, str(number), Outcome.COMPLETE, 0.25)
        rest = asked(Proposals(study, record), study.num_proposals - 4)
    cells = study.space.cells(study.fixed, limit=100)
    assert sorted(map(repr, [*first, *rest])) == sorted(map(repr, cells))
    assert first != cells[:4]


def test_trials_of_an_earlier_study_are_knowledge_but_none_of_this_studys_trials(
    tmp_path: Path,
) -> None:
    with Record.open(tmp_path / "old") as record:
        _, chosen = Proposals(search(), record).ask()
        record.add_trial("old", source="search", chosen=chosen, config={})
        prior = ended(record, "old", Outcome.COMPLETE, 0.25)
    with Record.open(tmp_path / "new") as record:
        record.add_prior(prior)
    again = Record.read(tmp_path / "new")
    assert again.trials == {}
    assert known(Proposals(search(), again)) == [(State.COMPLETE, [0.25, 0.5], chosen)]


def test_knowledge_rebuilt_from_the_record_equals_the_living_one(tmp_path: Path) -> None:
    with Record.open(tmp_path / "r") as record:
        proposals = Proposals(search(), record)
        for number, (outcome, error, _) in enumerate([*ENDS, *ENDS]):
            trial, chosen = proposals.ask()
            record.add_trial(str(number), source="search", chosen=chosen, config={})
            proposals.tell(trial, ended(record, str(number), outcome, error))
        again = record.trials["0"]
        repeat = proposals.enqueue(again.chosen)
        assert repeat is not None
        record.add_repeat("0", again.chosen)
        proposals.tell(repeat, again)
    rebuilt = Proposals(search(), Record.read(tmp_path / "r"))
    assert known(rebuilt) == known(proposals)


def test_cut_trials_are_no_knowledge_yet(tmp_path: Path) -> None:
    with Record.open(tmp_path / "r") as record:
        _, chosen = Proposals(search(), record).ask()
        record.add_trial("cut", source="search", chosen=chosen, config={})
        record.add_repeat("cut", chosen)
        assert known(Proposals(search(), record)) == []


def test_points_outside_the_space_are_unknown_to_optuna_and_points_inside_are_known(
    tmp_path: Path,
) -> None:
    inside = {
        "pruning.schedule": "app",
        "pruning.final_density": 0.5,
        "stream.num_megabatches": 2,
    }
    proposals = Proposals(search(), Record())
    assert proposals.enqueue({**inside, "pruning.final_density": 0.01}) is None
    assert proposals.enqueue({"pruning.schedule": "dense", "stream.num_megabatches": 2}) is None
    assert proposals.enqueue({**inside, "stream.num_megabatches": 3}) is None
    assert known(proposals) == []
    assert proposals.enqueue(inside) is not None
    assert known(proposals) == [(State.RUNNING, None, inside)]
    with Record.open(tmp_path / "r") as record:
        for key, chosen in {"in": inside, "out": {"pruning.schedule": "dense"}}.items():
            record.add_trial(key, source="point", chosen=chosen, config={})
            ended(record, key, Outcome.COMPLETE, 0.25)
        assert known(Proposals(search(), record)) == [(State.COMPLETE, [0.25, 0.5], inside)]


def test_the_same_seed_proposes_the_same_and_a_resumed_study_something_else(
    tmp_path: Path,
) -> None:
    first = asked(Proposals(search(), Record()), 3)
    assert asked(Proposals(search(), Record()), 3) == first
    with Record.open(tmp_path / "r") as record:
        for number, chosen in enumerate(first):
            record.add_trial(str(number), source="search", chosen=chosen, config={})
            ended(record, str(number), Outcome.COMPLETE, 0.25)
        assert not [c for c in asked(Proposals(search(), record), 3) if c in first]


def test_choices_that_are_lists_come_back_as_they_were_given() -> None:
    space = {**SPACE, "model.hidden_sizes": [[8], [8, 8]]}
    fixed = {path: value for path, value in FIXED.items() if path != "model.hidden_sizes"}
    proposals = Proposals(search(space=space, fixed=fixed), Record())
    found = {chosen["model.hidden_sizes"] for chosen in asked(proposals, 12)}
    assert found == {(8,), (8, 8)}
