"""What list and status tell comes from the record alone, quickly, and while a study runs."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest

from study.config.trial import parse_trial
from study.errors import StudyError
from study.files import RECORD_FILE, study_names
from study.operations.status import read_status
from study.results import Outcome
from study.store.lock import LOCK_FILE
from study.store.record import Record
from study.store.store import StorePlace
from study.trial.titles import title_of
from study.workflow.watching import read_study_status
from tests.helpers.small_studies import history, search

ROOT = Path(__file__).parents[3]
METRICS = ("service_error", "final_density")
POINTS = [
    {"pruning.schedule": "app", "pruning.final_density": density, "stream.num_megabatches": 2}
    for density in (0.5, 0.25, 0.3, 0.4)
]


def written(root: Path, name: str = "small", constraints: str = "") -> Record:
    """Two complete trials, one that failed, and one interrupted half-way."""
    study = search(points=POINTS)
    with Record.open(root / name / RECORD_FILE) as record:
        record.begin_session(
            version="0",
            num_trials=8,
            shown=METRICS,
            varied=study.differing,
            constraints=constraints,
            tracking="sqlite:////x/m.db",
            experiment="e",
        )
        for index, chosen in enumerate(POINTS):
            trial = study.compose(chosen)
            key = record.add_trial(
                trial.key(), source="point", chosen=chosen, config=trial.to_dict()
            ).key
            if index == 2:
                record.add_outcome(key, Outcome.ERROR, "it diverged")
                continue
            record.add_history(key, history(1, error=0.3 - 0.1 * index))
            if index < 2:
                record.add_history(key, history(2, error=0.3 - 0.1 * index))
                record.add_outcome(key, Outcome.COMPLETE)
    return record


def test_it_tells_what_the_record_tells(tmp_path: Path) -> None:
    record = written(tmp_path)
    seen = read_status(tmp_path, "small")
    assert (seen.state, seen.num_trials, seen.shown) == ("interrupted", 8, METRICS)
    assert (seen.tracking, seen.experiment) == ("sqlite:////x/m.db", "e")
    assert list(seen.trials) == list(record.trials)
    for key, trial in record.trials.items():
        told = seen.trials[key]
        assert (told.number, told.outcome, told.reason) == (
            trial.number, trial.outcome, trial.reason,
        )  # fmt: skip
        assert told.title == title_of(
            parse_trial(trial.config).to_dict(), search(points=POINTS).differing
        )
        if trial.history.megabatches:
            last = trial.history.megabatches[-1]
            assert told.stream_fraction == last.stream_fraction
            assert told.metrics == {**last.metrics, **last.summary}
    assert [trial.number for trial in seen.best_first()] == [1, 0]


def test_a_study_runs_while_a_process_holds_it_and_then_the_time_left_is_told(
    tmp_path: Path,
) -> None:
    written(tmp_path)
    assert read_status(tmp_path, "small").seconds_left is None
    with filelock.FileLock(tmp_path / "small" / LOCK_FILE):
        running = read_status(tmp_path, "small")
    assert running.state == "running"
    # Three trials and a half of eight took active_s.
    assert running.seconds_left == pytest.approx(4.5 / 3.5 * running.active_s)


def test_the_time_between_two_processes_is_not_worked_time(tmp_path: Path) -> None:
    path = tmp_path / "idle" / RECORD_FILE
    with Record.open(path) as record:
        record.begin_session(version="0")
        record.finish()
    lines = path.read_text().splitlines()
    early = [re.sub(r'"time":[\d.]+', '"time":1.5', line) for line in lines]
    path.write_text("\n".join([*early, *lines]) + "\n")
    seen = read_status(tmp_path, "idle")
    assert seen.state == "finished"
    assert seen.active_s < 60


def test_a_torn_last_line_is_no_matter_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / "small" / RECORD_FILE
    with path.open("a") as file:
        file.write('{"event":"outcome","key":"')
    assert len(read_status(tmp_path, "small").trials) == 4
    with path.open("a") as file:
        file.write("\n")
    with pytest.raises(StudyError, match=r"line \d+: cannot be read"):
        read_status(tmp_path, "small")


def test_an_unknown_study_is_answered_with_those_there_are(tmp_path: Path) -> None:
    written(tmp_path)
    assert study_names(tmp_path) == ["small"]
    with pytest.raises(StudyError, match="did you mean 'small'"):
        read_status(tmp_path, "smal")


def call(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "study.cli", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=250, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert not imported & {"torch", "ray", "mlflow", "optuna", "pandas", "numpy"}
    return ended.stdout


def test_list_and_status_say_it_and_import_nothing_heavy(tmp_path: Path) -> None:
    written(tmp_path / "app-studies")
    (line,) = [text for text in call(tmp_path, "list").splitlines() if text.startswith("small")]
    assert line.split()[:4] == ["small", "interrupted", "3/8", "1"]
    assert "service error 0.2: app d=0.25 T=2 mlp seed=0" in line
    said = call(tmp_path, "status", "small")
    assert "small is interrupted: 3 of 8 trials ended (2 complete, 1 error)" in said
    assert "interrupted: app d=0.4 T=2 mlp seed=0, 50% of its stream" in said
    assert "best 1: app d=0.25 T=2 mlp seed=0 (trial 1): service error 0.2" in said
    assert "failed (1): it diverged" in said


def test_a_long_record_is_read_in_a_moment(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / "small" / RECORD_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    (report,) = [
        line for line in lines if b'"history"' in line and b'"megabatch_index":0' in line
    ][:1]
    path.write_bytes(b"".join([*lines, *[report] * 20_000]))
    started = time.process_time()
    read_status(tmp_path, "small")
    assert time.process_time() - started < 2.0


def test_a_trial_that_breaks_a_constraint_is_not_told_as_best(tmp_path: Path) -> None:
    written(tmp_path, constraints="service_error >= 0.25")
    assert [trial.number for trial in read_status(tmp_path, "small").best_first()] == [0]


def test_of_a_study_that_confirms_its_best_the_stage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "small" / RECORD_FILE
    with Record.open(path) as record:
        record.begin_session(num_trials=8, confirmation="small-confirm")
    with filelock.FileLock(tmp_path / "small" / LOCK_FILE):
        assert read_status(tmp_path, "small").stage == "searching"
    assert read_status(tmp_path, "small").stage == "interrupted"
    with Record.open(path) as record:
        record.finish()
    assert read_status(tmp_path, "small").stage == "to be confirmed"

    with Record.open(tmp_path / "small-confirm" / RECORD_FILE) as record:
        record.begin_session(num_trials=4)
    place = StorePlace.from_address(tmp_path)
    assert read_study_status(place, "small").stage == "confirmation interrupted"
    with filelock.FileLock(tmp_path / "small-confirm" / LOCK_FILE):
        assert read_study_status(place, "small").stage == "confirming"
    with Record.open(tmp_path / "small-confirm" / RECORD_FILE) as record:
        record.finish()
    assert read_study_status(place, "small").stage == "confirmed"
    # The study that confirms it is one like any other.
    assert read_study_status(place, "small-confirm").stage == "finished"


def test_a_study_that_cannot_be_read_is_listed_with_the_reason_beside_the_others(
    tmp_path: Path,
) -> None:
    written(tmp_path / "app-studies")
    written(tmp_path / "app-studies", "damaged")
    path = tmp_path / "app-studies" / "damaged" / RECORD_FILE
    path.write_text("{\n", encoding="utf-8")
    lines = call(tmp_path, "list").splitlines()
    (line,) = [text for text in lines if text.startswith("damaged")]
    assert line.split()[1] == "unreadable"
    assert "record.jsonl, line 1: cannot be read; the record is damaged" in line
    assert [text.split()[1] for text in lines if text.startswith("small")] == ["interrupted"]


def test_how_to_go_on_to_a_confirmation_is_told_with_the_store(tmp_path: Path) -> None:
    with Record.open(tmp_path / "else" / "small" / RECORD_FILE) as record:
        record.begin_session(num_trials=8, confirmation="small-confirm")
        record.finish()
    said = call(tmp_path, "status", "small", "--store", "else")
    assert f"app-study resume small --store {tmp_path / 'else'} runs it" in said
