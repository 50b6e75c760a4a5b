"""A study that was interrupted before its first trial is resumed as it would have gone on."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from study.config.study import parse_study
from study.errors import StudyError
from study.operations import launch
from study.results import Outcome
from study.search.optuna_study import Proposals
from study.store.folder import StudyStore
from study.store.record import Record, RecordedTrial
from study.tune.cluster.study_ray import StudyRay
from tests.helpers.small_studies import SPACE, history, raw_search
from tests.helpers.trackers import NullTracker


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_on_ray", lambda *_: None)
    monkeypatch.setattr(launch.StudyRun, "execute", lambda _: None)


@pytest.fixture
def store(tmp_path: Path) -> StudyStore:
    """A store with the study ``early`` of three complete trials."""
    made = StudyStore(tmp_path)
    study = parse_study(raw_search(name="early"))
    made.folder("early").write_config(study)
    with made.folder("early").open_record() as record:
        proposals = Proposals(study, record)
        for _ in range(3):
            _, chosen = proposals.ask()
            trial = study.compose(chosen)
            record.add_trial(trial.key(), source="search", chosen=chosen, config=trial.to_dict())
            record.add_history(trial.key(), history(2))
            record.add_outcome(trial.key(), Outcome.COMPLETE)
    return made


def run(store: StudyStore, *, fresh: bool, **changes: Any) -> str:
    study = parse_study(raw_search(name="later", **changes))
    console = Console(file=io.StringIO(), width=200)
    launch.run_study(study, store, NullTracker, console, StudyRay(), fresh=fresh)
    return console.file.getvalue()  # type: ignore[attr-defined]  # of a StringIO


def test_a_warm_start_that_was_interrupted_is_finished_by_the_resumed_study_and_once(
    store: StudyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_one(record: Record, prior: RecordedTrial) -> None:
        if record.priors:
            raise KeyboardInterrupt
        add(record, prior)

    add = Record.add_prior
    warm = {"search": {"space": SPACE, "warm_start": ["early"]}}
    with monkeypatch.context() as patch:
        patch.setattr(Record, "add_prior", add_one)
        with pytest.raises(KeyboardInterrupt):
            run(store, fresh=True, **warm)
    path = store.folder("later").record_path
    assert len(Record.read(path).priors) == 1

    assert "3 trials transferred from the study early" in run(store, fresh=False, **warm)
    keys = [prior.key for prior in Record.read(path).priors]
    assert len(keys) == len(set(keys)) == 3
    store.folder("early").record_path.unlink()
    assert run(store, fresh=False, **warm) == ""
    assert [prior.key for prior in Record.read(path).priors] == keys


def test_a_study_that_is_not_finished_is_refused_with_the_command_that_finds_it(
    store: StudyStore, tmp_path: Path
) -> None:
    run(store, fresh=True)
    with pytest.raises(StudyError, match=rf"app-study resume later --store {tmp_path}$"):
        run(store, fresh=True)
