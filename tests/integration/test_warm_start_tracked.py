"""A study that only MLflow knows warm starts a search as its own record would."""

from pathlib import Path

import pytest

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.errors import StudyError
from study.results import Outcome, TrialHistory
from study.search.earlier import read_transferred_trials
from study.search.optuna_study import Proposals
from study.search.warm_start import warm_start
from study.store.folder import StudyStore
from study.store.record import Record, RecordedTrial
from study.tracking import names
from study.tracking.mlflow.tracker import MlflowTracker
from study.trial.datasets import dataset_key, load_dataset
from study.trial.description import TrialDescriber
from study.trial.study_description import study_info
from tests.helpers.small_studies import SPACE, history, raw_search

ENDS = (Outcome.COMPLETE, Outcome.COMPLETE, Outcome.EARLY_STOPPED, Outcome.ERROR)
LATE = Outcome.COMPLETE  # of a trial that ends after the study's histories were put together


def later(**changes: object) -> StudyConfig:
    section = {"space": SPACE, "warm_start": ["early"]}
    return parse_study(raw_search(name="later", search=section, **changes))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has the study ``early``, and an MLflow database that has it."""
    folder = tmp_path_factory.mktemp("place")
    study = parse_study(raw_search(name="early"))
    here = StudyStore(folder / "store").folder("early")
    here.write_config(study)
    tracker = MlflowTracker(f"sqlite:///{folder}/mlflow.db")
    tracker.start_study(study_info(study, num_trials=len(ENDS) + 1))
    trial = study.compose(Proposals(study, Record()).ask()[1])
    key = dataset_key(trial.data)
    describer = TrialDescriber(study, {key: load_dataset(key)})
    with Record.open(here.record_path) as record:
        proposals = Proposals(study, record)
        for number, outcome in enumerate((*ENDS, LATE)):
            if number == len(ENDS):
                tracker.finish_study(
                    {t.key: t.history for t in record.trials.values()}, Outcome.INTERRUPTED
                )
                tracker.start_study(study_info(study, num_trials=len(ENDS) + 1))
            _, chosen = proposals.ask()
            trial = study.compose(chosen)
            record.add_trial(trial.key(), source="search", chosen=chosen, config=trial.to_dict())
            reached = 1 if outcome is Outcome.EARLY_STOPPED else 2
            record.add_history(trial.key(), history(reached, error=0.1 + number / 7))
            record.add_outcome(trial.key(), outcome)
            tracker.start_trial(describer.describe(trial, number=number))
            reported = record.trials[trial.key()].history
            tracker.finish_trial(trial.key(), reported, outcome, "")
    return folder


def transferred(
    study: StudyConfig, store: Path, place: Path, record_path: Path
) -> list[RecordedTrial]:
    tracker = MlflowTracker(f"sqlite:///{place}/mlflow.db")
    with Record.open(record_path) as record:
        (said,) = warm_start(
            study, read_transferred_trials(study, StudyStore(store), tracker), record
        )
        assert "1 left out: they failed" in said
    return Record.read(record_path).priors


def told(study: StudyConfig, priors: list[RecordedTrial]) -> list[tuple[object, ...]]:
    record = Record()
    record.priors = priors
    return [
        (t.state, t.values, t.params, t.intermediate_values, t.constraints)
        for t in Proposals(study, record).optuna_study.trials
    ]


def test_mlflow_tells_a_search_what_the_record_tells_it(place: Path, tmp_path: Path) -> None:
    objective = {"metrics": ["service_error"], "constraints": ["final_density <= 0.4"]}
    study = later(objective=objective)
    recorded = transferred(study, place / "store", place, tmp_path / "recorded.jsonl")
    tracked = transferred(study, tmp_path / "empty", place, tmp_path / "tracked.jsonl")
    assert [prior.key for prior in tracked] == [prior.key for prior in recorded]
    assert len(tracked) == len(ENDS)
    for ours, theirs in zip(tracked, recorded, strict=True):
        assert (ours.chosen, ours.config) == (theirs.chosen, theirs.config)
        without_epochs = TrialHistory((), theirs.history.megabatches)
        assert ours.history == without_epochs
    assert told(study, tracked) == told(study, recorded)


def test_another_configuration_in_mlflow_is_left_out(place: Path, tmp_path: Path) -> None:
    study = later(fixed=raw_search()["fixed"] | {"seed": 1})
    with Record.open(tmp_path / "record.jsonl") as record:
        tracker = MlflowTracker(f"sqlite:///{place}/mlflow.db")
        (said,) = warm_start(
            study, read_transferred_trials(study, StudyStore(tmp_path), tracker), record
        )
        assert record.priors == []
        tracked = list(record.places)
    assert "Warm start: 0 trials transferred from the study early in sqlite:///" in said
    assert "4 left out: outside the space, or another fixed configuration" in said
    assert "its best 3 places will be tried first" in said
    with Record.open(tmp_path / "recorded.jsonl") as record:
        here = StudyStore(place / "store")
        warm_start(study, read_transferred_trials(study, here, tracker), record)
        assert record.places == tracked


def test_a_study_that_neither_has_is_refused_with_both_places(place: Path, tmp_path: Path) -> None:
    elsewhere = {"tracking": {"experiment": "another"}}
    tracker = MlflowTracker(f"sqlite:///{place}/mlflow.db", experiment="another")
    said = r"no study 'early' in .* under the experiment 'another'"
    with pytest.raises(StudyError, match=said):
        read_transferred_trials(later(**elsewhere), StudyStore(tmp_path), tracker)


def test_a_study_file_that_is_lost_is_said(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "CONFIG_ARTIFACT", "gone.yaml")
    tracker = MlflowTracker(f"sqlite:///{place}/mlflow.db")
    with pytest.raises(StudyError, match=r"has lost its gone\.yaml"):
        read_transferred_trials(later(), StudyStore(tmp_path), tracker)
