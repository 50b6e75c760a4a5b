"""What a search is told of earlier studies."""

from pathlib import Path
from typing import Any

import pytest

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.errors import StudyError
from study.results import Outcome
from study.search.earlier import EarlierStudy, read_transferred_trials
from study.search.optuna_study import Proposals
from study.search.warm_start import (
    good_places,
    transferred_trials,
    warm_start,
)
from study.store.folder import StudyStore
from study.store.record import Record
from tests.helpers.small_studies import FIXED, SPACE, history, raw_search
from tests.helpers.trackers import NullTracker


def later(**changes: object) -> StudyConfig:
    section = {"space": SPACE, "warm_start": ["early"], **dict(changes.pop("search", {}))}  # type: ignore[call-overload]  # a mapping
    return parse_study(raw_search(name="later", search=section, **changes))


@pytest.fixture
def store(tmp_path: Path) -> StudyStore:
    """A store with the study ``early``: two complete trials, one stopped, one failed."""
    made = StudyStore(tmp_path)
    study = parse_study(raw_search(name="early"))
    folder = made.folder("early")
    folder.write_config(study)
    ends = (Outcome.COMPLETE, Outcome.COMPLETE, Outcome.EARLY_STOPPED, Outcome.ERROR)
    with Record.open(folder.record_path) as record:
        proposals = Proposals(study, record)
        for outcome in ends:
            _, chosen = proposals.ask()
            trial = study.compose(chosen)
            record.add_trial(trial.key(), source="search", chosen=chosen, config=trial.to_dict())
            record.add_history(trial.key(), history(2))
            record.add_outcome(trial.key(), outcome)
    return made


def early(store: StudyStore) -> EarlierStudy:
    (found,) = read_transferred_trials(later(), store, NullTracker())
    return found


def test_equal_trials_of_an_earlier_study_are_told_to_the_sampler_and_counted(
    store: StudyStore, tmp_path: Path
) -> None:
    study = later()
    with Record.open(tmp_path / "record.jsonl") as record:
        (said,) = warm_start(study, read_transferred_trials(study, store, NullTracker()), record)
        assert (
            "Warm start: 3 trials transferred from the study early; 1 left out: they failed"
            in said
        )
        assert record.trials == {}
        states = [t.state.name for t in Proposals(study, record).optuna_study.trials]
        assert states == ["COMPLETE", "COMPLETE", "PRUNED"]


def test_a_trial_counts_once_though_two_studies_have_it(store: StudyStore, tmp_path: Path) -> None:
    study = later(search={"warm_start": ["early", "early"]})
    with Record.open(tmp_path / "record.jsonl") as record:
        warm_start(study, read_transferred_trials(study, store, NullTracker()), record)
        assert len(record.priors) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"fixed": FIXED | {"training.total_samples": 900}},
        {"fixed": FIXED | {"seed": 1}},
        {"fixed": FIXED | {"data.num_examples": 100}},
        {"objective": {"metrics": ["service_error"], "service_after": 2.0}},
    ],
)
def test_another_fixed_configuration_is_left_out(
    store: StudyStore, changes: dict[str, object]
) -> None:
    told, left_out = transferred_trials(later(**changes), early(store))
    assert told == []
    assert left_out.total() == 4


def test_a_path_fixed_then_and_searched_now_is_no_difference(store: StudyStore) -> None:
    fixed = {path: v for path, v in FIXED.items() if path != "training.batch_size"}
    space = {**SPACE, "training.batch_size": [16, 32]}
    told, _ = transferred_trials(later(fixed=fixed, search={"space": space}), early(store))
    assert [prior.chosen["training.batch_size"] for prior in told] == [16, 16, 16]


def test_values_outside_the_space_are_left_out(store: StudyStore) -> None:
    space = {**SPACE, "stream.num_megabatches": [3]}
    assert transferred_trials(later(search={"space": space}), early(store))[0] == []


def test_a_study_that_is_not_there_is_refused_with_those_that_are(store: StudyStore) -> None:
    with pytest.raises(StudyError, match="did you mean 'early'"):
        read_transferred_trials(later(search={"warm_start": ["earl"]}), store, NullTracker())


def test_the_best_places_of_a_study_of_other_data_are_proposed_first(
    store: StudyStore, tmp_path: Path
) -> None:
    study = later(fixed=FIXED | {"training.lr": 0.123})
    with Record.open(tmp_path / "record.jsonl") as record:
        earlier = read_transferred_trials(study, store, NullTracker())
        (said,) = warm_start(study, earlier, record)
        assert "0 trials transferred" in said
        assert "its best 2 places will be tried first" in said
        complete = [
            dict(t.chosen)
            for t in Record.read(store.folder("early").record_path).trials.values()
            if t.outcome is Outcome.COMPLETE
        ]
        proposals = Proposals(study, record)
        asked = [proposals.ask() for _ in range(3)]
    assert [chosen for _, chosen in asked[:2]] == complete
    assert [proposals.proposed_by(trial) for trial, _ in asked] == [
        "earlier_study",
        "earlier_study",
        "random",
    ]


def test_places_that_were_tried_are_not_proposed_again_by_a_resumed_study(
    store: StudyStore, tmp_path: Path
) -> None:
    study = later(fixed=FIXED | {"training.lr": 0.123})
    with Record.open(tmp_path / "record.jsonl") as record:
        warm_start(study, read_transferred_trials(study, store, NullTracker()), record)
        first, second = record.places
        trial = study.compose(first)
        record.add_trial(trial.key(), source="search", chosen=first, config=trial.to_dict())
    with Record.open(tmp_path / "record.jsonl") as record:
        assert Proposals(study, record).ask()[1] == dict(second)


def test_no_more_places_than_asked_for_and_none_beside_another(store: StudyStore) -> None:
    study = later(fixed=FIXED | {"training.lr": 0.123}, search={"warm_start_top": 1})
    (earlier,) = read_transferred_trials(study, store, NullTracker())
    assert len(good_places(study, earlier)) == 1
    doubled = EarlierStudy("twice", 1.0, (*earlier.trials, *earlier.trials))
    many = later(fixed=FIXED | {"training.lr": 0.123}, search={"warm_start_top": 9})
    assert good_places(many, doubled) == good_places(many, earlier)
    none = later(fixed=FIXED | {"training.lr": 0.123}, search={"warm_start_top": 0})
    assert good_places(none, earlier) == []


def test_no_place_that_is_certain_to_break_a_constraint(store: StudyStore) -> None:
    def places(*constraints: str) -> list[dict[str, Any]]:
        objective = {"metrics": ["service_error"], "constraints": list(constraints)}
        study = later(fixed=FIXED | {"training.lr": 0.123}, objective=objective)
        (earlier,) = read_transferred_trials(study, store, NullTracker())
        return good_places(study, earlier)

    assert len(places()) == 2
    assert places("final_density <= 0.001") == []


def test_a_warm_start_that_is_repeated_adds_what_is_missing(
    store: StudyStore, tmp_path: Path
) -> None:
    for name, study in (("trials", later()), ("places", later(fixed=FIXED | {"seed": 1}))):
        earlier = read_transferred_trials(study, store, NullTracker())
        path = tmp_path / name / "record.jsonl"
        with Record.open(path) as record:
            assert not record.is_warm
            said = warm_start(study, earlier, record)
        lines = path.read_bytes().splitlines(keepends=True)
        for number in range(len(lines)):
            path.write_bytes(b"".join(lines[:number]))
            with Record.open(path) as again:
                assert not again.is_warm
                assert warm_start(study, earlier, again) == said
                assert again.priors == record.priors
                assert again.places == record.places
                assert again.is_warm
