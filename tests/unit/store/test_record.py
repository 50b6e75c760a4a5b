"""The record says after any crash what it said before it."""

import os
from pathlib import Path

import pytest

from study.errors import StudyError
from study.results import Outcome, TrialHistory
from study.store.record import Record
from tests.helpers.small_studies import history

CONFIG = {"seed": 0, "model": {"hidden_sizes": [3, 4]}}


def written(path: Path) -> Record:
    with Record.open(path) as record:
        record.begin_session(version="0")
        record.add_trial("a", source="point", chosen={"model.hidden_sizes": (3, 4)}, config=CONFIG)
        record.add_trial("b", source="search", chosen={"seed": 1}, config=CONFIG)
        record.add_history("a", history(2))
        record.add_outcome("a", Outcome.COMPLETE)
        record.add_repeat("a", {"seed": 0})
        record.add_history("b", history(1))
        record.add_outcome("b", Outcome.ERROR, "it diverged: loss ∞")
    return record


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    record = written(tmp_path / "record.jsonl")
    read = Record.read(tmp_path / "record.jsonl")
    assert read.trials == record.trials
    assert read.trials["a"].history == history(2)
    assert read.trials["a"].chosen == {"model.hidden_sizes": (3, 4)}
    assert read.trials["b"].reason == "it diverged: loss ∞"
    assert [t.number for t in read.trials.values()] == [0, 1]
    assert read.repeats == [("a", {"seed": 0})]


def test_numbers_come_back_to_the_last_bit_and_nan_stays_nan(tmp_path: Path) -> None:
    with Record.open(tmp_path / "r") as record:
        record.add_trial("a", source="search", chosen={"x": 0.1 + 0.2}, config={})
        record.add_history("a", history(2, error=float("nan")))
        record.add_outcome("a", Outcome.COMPLETE)
    trial = Record.read(tmp_path / "r").trials["a"]
    assert trial.chosen == {"x": 0.1 + 0.2}
    values = trial.values(("service_error", "final_density"))
    assert values is not None
    assert values[0] != values[0]
    assert values[1] == 0.5


def test_a_last_line_torn_at_any_byte_is_cut_off_and_writing_goes_on(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    written(whole)
    content = whole.read_bytes()
    start = content[:-1].rfind(b"\n") + 1
    for length in range(start, len(content)):
        torn = tmp_path / "torn"
        torn.write_bytes(content[:length])
        with Record.open(torn) as record:
            assert record.trials["b"].outcome is None
            record.add_outcome("b", Outcome.COMPLETE)
        assert Record.read(torn).trials["b"].outcome is Outcome.COMPLETE
        assert torn.read_bytes().startswith(content[:start] + b"{")


def test_reading_does_not_touch_a_torn_line_of_a_running_study(tmp_path: Path) -> None:
    path = tmp_path / "r"
    written(path)
    torn = path.read_bytes()[:-5]
    path.write_bytes(torn)
    assert Record.read(path).trials["b"].outcome is None
    assert path.read_bytes() == torn


def test_damage_before_the_last_line_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "r"
    written(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\0\0\0\n", *lines[2:]]))
    with pytest.raises(StudyError, match="r, line 2: cannot be read"):
        Record.open(path)


def test_only_what_is_new_of_a_history_is_kept(tmp_path: Path) -> None:
    with Record.open(tmp_path / "r") as record:
        record.add_trial("a", source="point", chosen={}, config={})
        assert record.add_history("a", history(1, of=3))
        size = (tmp_path / "r").stat().st_size
        assert not record.add_history("a", history(1, of=3))
        assert not record.add_history("a", TrialHistory())
        assert (tmp_path / "r").stat().st_size == size
        assert record.add_history("a", history(3, of=3))
    assert Record.read(tmp_path / "r").trials["a"].history == history(3, of=3)


def test_a_line_that_could_not_be_synced_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "full" / "record.jsonl"
    with Record.open(path) as record:
        record.add_trial("a", source="point", chosen={}, config={})
        before = path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(
                StudyError,
                match=rf"No space left on device.*app-study resume full --store {tmp_path}",
            ):
                record.add_outcome("a", Outcome.COMPLETE)
        assert record.trials["a"].outcome is None
        assert path.read_bytes() == before
        record.add_outcome("a", Outcome.COMPLETE)
    assert Record.read(path).trials["a"].outcome is Outcome.COMPLETE


def test_a_finished_study_can_be_reopened(tmp_path: Path) -> None:
    with Record.open(tmp_path / "r") as record:
        record.finish()
        assert Record.read(tmp_path / "r").is_finished
        record.reopen()
    assert not Record.read(tmp_path / "r").is_finished


def test_trials_without_outcome_are_unfinished_in_their_order(tmp_path: Path) -> None:
    with Record.open(tmp_path / "r") as record:
        for key in "abc":
            record.add_trial(key, source="search", chosen={}, config={})
        record.add_outcome("b", Outcome.EARLY_STOPPED)
        assert [trial.key for trial in record.unfinished()] == ["a", "c"]
        assert record.trials["b"].values(("service_error",)) is None


def test_a_study_has_an_id_from_its_first_session_on_that_no_other_has(tmp_path: Path) -> None:
    with Record.open(tmp_path / "r") as record:
        record.begin_session()
        made = record.study_id
    assert made
    with Record.open(tmp_path / "r") as record:
        record.begin_session()
        record.reopen()
        assert record.study_id == made
    assert Record.read(tmp_path / "r").study_id == made
    assert written(tmp_path / "another").study_id not in ("", made)


def test_a_record_that_was_begun_without_an_id_stays_without_one(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_text('{"event":"session","version":"0","time":1.0}\n', encoding="utf-8")
    with Record.open(path) as record:
        record.begin_session()
        assert record.study_id == ""
