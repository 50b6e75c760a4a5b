"""A finished trial that breaks a constraint wins nothing, in reports and at the terminal."""

import dataclasses

import pytest

from analysis.page.answer import answer
from analysis.presentation.report import REPORTS
from analysis.reports.discovery import load_reports
from analysis.runs.study_runs import Runs
from study.config.study_sections import ObjectiveSection
from study.constraints import parse_constraint
from study.errors import StudyError
from study.results import Outcome
from study.search.selection import choose
from study.session.markdown_summary import best_first
from study.store.record import Record, RecordedTrial
from study.tracking import names
from tests.helpers.fake_study import SERVICE_AND_SIZE, runs_of, usual
from tests.helpers.small_studies import history

LIMIT = "final_density <= 0.2"
load_reports()


def limited(objectives: tuple[str, ...]) -> Runs:
    runs = runs_of(usual(), objectives=objectives)
    params = {names.PARAM_CONSTRAINTS: LIMIT}
    return dataclasses.replace(runs, study=dataclasses.replace(runs.study, params=params))


def test_the_winner_of_a_search_keeps_the_constraints_and_those_that_do_not_are_counted() -> None:
    runs = limited(("service_error",))
    kept = runs.complete[runs.complete["final_density"] <= 0.2]
    assert 0 < len(kept) < len(runs.complete)
    best = kept.sort_values("service_error").iloc[0]
    first, *others = answer(runs)
    assert f"trial {best['number']}" in first
    broken = len(runs.complete) - len(kept)
    assert f"{broken} finished trials broke {LIMIT} and cannot be the best." in others


def test_no_trial_that_breaks_a_constraint_is_on_the_front() -> None:
    section = REPORTS.get("pareto")().build(limited(SERVICE_AND_SIZE))
    (front,) = [table for table in section.tables if table.title == "The front"]
    place = [column.name for column in front.columns].index("final_density")
    assert front.rows
    assert all(float(str(row[place])) <= 0.2 for row in front.rows)


def test_a_study_without_constraints_leaves_nobody_out() -> None:
    runs = runs_of(usual())
    assert len(runs.candidates) == len(runs.trials)


def trials_of(*errors: float) -> list[RecordedTrial]:
    return [
        RecordedTrial(
            str(number), number, "search", {}, {}, history(2, error=error), Outcome.COMPLETE
        )
        for number, error in enumerate(errors)
    ]


def test_the_terminals_best_keep_the_constraints() -> None:
    trials = trials_of(0.2, 0.1)
    found = best_first(trials, ("service_error",), (parse_constraint("service_error >= 0.15"),))
    assert [trial.key for trial, _ in found] == ["0"]


def test_what_is_exported_as_best_or_as_the_front_keeps_the_constraints() -> None:
    record = Record()
    record.trials = {trial.key: trial for trial in trials_of(0.2, 0.1)}
    free = ObjectiveSection()
    limited_to = ObjectiveSection(constraints=("service_error >= 0.15",))
    for which in ("best", "pareto"):
        assert [t.key for t in choose(record, which, free)] == ["1"]
        assert [t.key for t in choose(record, which, limited_to)] == ["0"]
    assert [t.key for t in choose(record, "1", limited_to)] == ["1"]  # named by its user
    impossible = ObjectiveSection(constraints=("service_error >= 0.9",))
    with pytest.raises(StudyError, match=r"that keeps service_error >= 0\.9 has a value"):
        choose(record, "best", impossible)
