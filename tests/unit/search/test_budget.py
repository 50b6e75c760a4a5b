"""A budget is used up at its limit, by all sessions together, and a budget can be raised."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from study.config.problems import ConfigError
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.config.study_sections import BudgetSection
from study.errors import StudyError
from study.operations.extend import Extension, extend
from study.results import MegabatchRecord, Outcome, TrialHistory
from study.search.budget import Budget, train_flops
from study.session.failure_causes import by_cause
from study.store.folder import StudyFolder
from study.store.record import Record
from tests.helpers.small_studies import raw_search


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record.open(tmp_path / "small" / "record.jsonl") as opened:
        opened.begin_session(version="0")
        yield opened


def add(record: Record, key: str, *, flops: float = 0.0, reason: str = "") -> None:
    record.add_trial(key, source="point", chosen={}, config={})
    megabatch = MegabatchRecord(0, 0.5, 0, {"train_flops": flops})
    record.add_history(key, TrialHistory((), (megabatch,)))
    if reason:
        record.add_outcome(key, Outcome.ERROR, reason)


def test_without_limits_a_budget_is_never_used_up(record: Record) -> None:
    add(record, "a", flops=1e30, reason="it failed")
    assert Budget(BudgetSection(), record).end() is None


def test_hours_are_those_of_all_sessions_and_not_of_updates_or_the_time_between(
    tmp_path: Path,
) -> None:
    record = Record()
    for time, kind in (
        (1000.0, "session"), (2800.0, "history"), (9000.0, "session"), (10800.0, "history"),
        (20000.0, "update"), (30000.0, "history"),
    ):  # fmt: skip
        record._count_time(time, kind)
    assert record.seconds == 3600
    record._path = tmp_path / "small" / "record.jsonl"
    assert Budget(BudgetSection(hours=1.01), record).end() is None
    end = Budget(BudgetSection(hours=1.0), record).end()
    assert end is not None
    assert end.is_finished
    assert f"app-study extend small --store {tmp_path} --hours" in end.text


def test_a_clock_that_is_set_back_takes_no_time_away() -> None:
    record = Record()
    for time, kind in ((1000.0, "session"), (1500.0, "history"), (1200.0, "history")):
        record._count_time(time, kind)
    assert record.seconds == 500


def test_flops_are_those_of_all_trials_running_ones_included(record: Record) -> None:
    add(record, "a", flops=3e9, reason="it failed")
    budget = Budget(BudgetSection(train_flops=5e9), record)
    assert budget.end() is None
    add(record, "b", flops=2e9)
    end = budget.end()
    assert end is not None
    assert end.is_finished


def test_what_is_counted_as_trials_come_and_end_is_what_the_whole_record_says(
    record: Record,
) -> None:
    budget = Budget(BudgetSection(train_flops=1e30, max_failures=7), record)
    for number in range(30):
        add(record, str(number), flops=number, reason="it failed" if number % 5 == 0 else "")
        if number % 3 == 1 and record.trials[str(number - 1)].outcome is None:
            record.add_outcome(str(number - 1), Outcome.COMPLETE)
        assert budget.end() is None
        assert budget._tally.train_flops == train_flops(record)
        failed = [t for t in record.trials.values() if t.outcome is Outcome.ERROR]
        assert budget._tally.num_failed == len(failed)


@pytest.mark.parametrize(
    ("limits", "most"), [(BudgetSection(max_failures=2), 2), (BudgetSection(fail_fast=True), 1)]
)
def test_failures_of_this_session_end_it_unfinished(
    record: Record, limits: BudgetSection, most: int
) -> None:
    add(record, "before", reason="it failed")
    budget = Budget(limits, record)
    for number in range(most):
        assert budget.end() is None
        add(record, f"t{number}", reason="it failed")
    end = budget.end()
    assert end is not None
    assert not end.is_finished


def test_failures_are_one_where_they_differ_in_numbers_alone(record: Record) -> None:
    add(record, "a", reason="training diverged: loss is nan and 812 weights are not finite")
    add(record, "b", reason="training diverged: loss is 1e+30 and 3 weights are not finite")
    add(record, "c", reason="no layer of resnet20 is prunable")
    assert by_cause(trial.reason for trial in record.trials.values()) == (
        ("training diverged: loss is nan and 812 weights are not finite", 2),
        ("no layer of resnet20 is prunable", 1),
    )


def finished(folder: StudyFolder, budget: dict[str, float]) -> StudyConfig:
    study = parse_study(raw_search(budget=budget))
    folder.write_config(study)
    with Record.open(folder.record_path) as record:
        record.begin_session(version="0")
        record.finish()
    return study


def test_a_finished_study_is_opened_with_a_larger_budget(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "small")
    study = finished(folder, {"trials": 4, "hours": 1})
    extend(study, folder, Extension(trials=3))
    assert folder.read_config().budget == BudgetSection(trials=7, hours=1)
    assert not folder.is_finished()


@pytest.mark.parametrize(
    ("by", "says"),
    [
        (Extension(), "nothing to extend by"),
        (Extension(train_flops=1.0), "has no budget.train_flops"),
        (Extension(trials=1), "raise that too, with --hours"),
    ],
)
def test_an_extension_that_leads_nowhere_is_refused_and_changes_nothing(
    tmp_path: Path, by: Extension, says: str
) -> None:
    folder = StudyFolder(tmp_path / "small")
    study = finished(folder, {"trials": 4, "hours": 1e-12})
    folder.record_path.write_text(
        '{"event":"session","version":"0","time":0}\n{"event":"finished","time":60}\n'
    )
    with pytest.raises((StudyError, ConfigError), match=says):
        extend(study, folder, by)
    assert folder.is_finished()
    assert folder.read_config() == study
