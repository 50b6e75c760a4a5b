"""A replay is a search through what was recorded, and nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.config.study import parse_study
from study.errors import StudyError
from study.results import MegabatchRecord, Outcome, TrialHistory
from study.search.optuna_study import Proposals
from study.simulation.comparison import (
    CONTROL,
    best_so_far,
    find_target,
    ratio_interval,
    search_to_target,
)
from study.simulation.lookup import Lookup
from study.simulation.simulator import Ended, replay, searched_anew
from study.simulation.table import Table, read_table, table_of, under, write_table
from study.store.record import Record, RecordedTrial
from tests.helpers.small_studies import FIXED, raw_search, search

COST = 100.0
ASHA = {"sampler": "random", "stopping": {"name": "asha"}}


def made_history(error: float, density: float, num_megabatches: int) -> TrialHistory:
    records = [
        MegabatchRecord(
            megabatch_index=k,
            stream_fraction=(k + 1) / num_megabatches,
            kept_epoch_index=0,
            metrics={
                "projected_service_error": error,
                # As full replay costs: 1, 3, 6 … parts.
                "samples_seen": COST
                * (k + 1)
                * (k + 2)
                / (num_megabatches * (num_megabatches + 1)),
            },
            summary={"service_error": error, "final_density": density}
            if k + 1 == num_megabatches
            else {},
        )
        for k in range(num_megabatches)
    ]
    return TrialHistory((), tuple(records))


@pytest.fixture(scope="module")
def table() -> Table:
    """Sixty trials whose error grows with the distance from a density of 0.3."""
    study = parse_study(raw_search(objective={"metrics": ["service_error"]}))
    proposals, rows = Proposals(study, Record()), []
    for number in range(60):
        _, chosen = proposals.ask()
        trial = study.compose(chosen)
        density = chosen.get("pruning.final_density", 0.5)
        history = made_history(abs(density - 0.3), density, trial.stream.num_megabatches)
        rows.append(
            RecordedTrial(
                key=trial.key(),
                number=number,
                source="search",
                chosen=chosen,
                config=trial.to_dict(),
                history=history,
                outcome=Outcome.COMPLETE,
            )
        )
    return Table(study, tuple(rows))


def searched(table: Table, changes: Mapping[str, Any], **settings: Any) -> list[Ended]:
    study = searched_anew(table.study, changes, seed=settings.pop("seed", 0))
    return replay(table, study, **{"max_trials": 60, **settings})


def density(row: RecordedTrial) -> float:
    return row.final_values["final_density"]


def told(ended: list[Ended]) -> list[tuple[str, object, float]]:
    return [(end.trial.key, end.trial.outcome, end.samples) for end in ended]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_trial_that_is_not_stopped_is_its_row_and_each_visit_is_charged(
    table: Table, workers: int
) -> None:
    ended = searched(table, CONTROL, num_workers=workers, seed=1)
    assert all(replace(end.trial, key=end.row.key) == end.row for end in ended)
    assert len({end.trial.key for end in ended}) == 60 > len({end.row.key for end in ended})
    assert ended[-1].samples == pytest.approx(60 * COST)


def test_a_search_ends_with_its_budget_of_examples(table: Table) -> None:
    ended = searched(table, ASHA, max_samples=10 * COST)
    assert 10 * COST <= ended[-1].samples <= 11 * COST
    assert len(ended) > 10


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2"])
def test_a_replay_is_a_function_of_its_seed(table: Table, sampler: str) -> None:
    changes = {"sampler": sampler, "stopping": {"name": "asha"}}
    first = told(searched(table, changes, seed=1, num_workers=2, max_trials=25))
    assert told(searched(table, changes, seed=1, num_workers=2, max_trials=25)) == first
    assert told(searched(table, changes, seed=2, num_workers=2, max_trials=25)) != first


def test_a_stopped_trial_costs_what_it_trained_and_hides_its_end(table: Table) -> None:
    ended = searched(table, ASHA)
    stopped = [e.trial for e in ended if e.trial.outcome is Outcome.EARLY_STOPPED]
    assert 5 < len(stopped) < 55
    for trial, row in ((e.trial, e.row) for e in ended if e.trial in stopped):
        length = len(trial.history.megabatches)
        assert trial.history.megabatches == row.history.megabatches[:length]
        assert length < len(row.history.megabatches)
        assert trial.values(("service_error",)) is None
    cost = sum(e.trial.history.megabatches[-1].metrics["samples_seen"] for e in ended)
    assert ended[-1].samples == pytest.approx(cost)


def test_a_proposal_stands_for_the_nearest_row_with_its_choices_however_often_it_was_tried(
    table: Table,
) -> None:
    lookup = Lookup(table.study.space, table.rows)
    assert [lookup.nearest(row.chosen) for row in table.rows] == list(range(60))
    assert [lookup.nearest(row.chosen) for row in table.rows] == list(range(60))
    app = [r for r in table.rows if r.chosen["pruning.schedule"] == "app"]
    wanted = {**app[0].chosen, "pruning.final_density": 0.31}
    row = table.rows[lookup.nearest(wanted)]
    same = ("pruning.schedule", "stream.num_megabatches")
    assert all(row.chosen[path] == wanted[path] for path in same)


def test_a_table_is_read_back_as_it_was_written(table: Table, tmp_path: Path) -> None:
    write_table(table, tmp_path / "t.parquet")
    again = read_table(tmp_path / "t.parquet")
    assert again == table


def test_a_choice_between_a_word_and_a_list_is_read_back(table: Table, tmp_path: Path) -> None:
    space = {"training.at": ["all", [0, 1]], "stream.num_megabatches": [2, 4]}
    study = search(space=space, fixed=FIXED | {"pruning.schedule": "dense"})
    rows = []
    for number, at in enumerate(("all", (0, 1))):
        chosen = {"training.at": at, "stream.num_megabatches": 4}
        config = study.compose(chosen).to_dict()
        rows.append(replace(table.rows[number], chosen=chosen, config=config, number=number))
    write_table(Table(study, tuple(rows)), tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    assert [row.chosen for row in read.rows] == [row.chosen for row in rows]


def test_what_was_measured_of_a_last_network_is_kept_and_missing_where_it_was_not(
    table: Table, tmp_path: Path
) -> None:
    row, other = table.rows[:2]
    *earlier, last = row.history.megabatches
    timed = replace(last, metrics={**last.metrics, "speedup": 2.5})
    row = replace(row, history=TrialHistory((), (*earlier, timed)))
    write_table(Table(table.study, (row, other)), tmp_path / "t.parquet")
    again = read_table(tmp_path / "t.parquet").rows
    assert again[0].final_values == row.final_values
    assert "speedup" not in again[1].final_values


def test_a_study_whose_trials_were_stopped_is_no_table(table: Table) -> None:
    stopped = RecordedTrial("x", 60, "search", {}, {}, outcome=Outcome.EARLY_STOPPED)
    with pytest.raises(StudyError, match="how they would have ended is not known"):
        table_of(table.study, [*table.rows, stopped])


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("no table", encoding="utf-8")
    with pytest.raises(StudyError, match="cannot be read as a table"):
        read_table(path)


def with_limit(table: Table, limit: str) -> Table:
    raw = table.study.to_dict()
    raw["objective"] = {"metrics": ["service_error"], "constraints": [limit]}
    return under(table, parse_study(raw))


def test_the_target_is_the_ten_best_rows_that_keep_the_constraints(table: Table) -> None:
    limited = with_limit(table, "final_density <= 0.5")
    target = find_target(limited, limited.study)
    errors = [r.final_values["service_error"] for r in table.rows if density(r) <= 0.505]
    assert target.num_rows == 10
    assert target.value == sorted(errors)[9]
    assert sum(target.is_met(row) for row in table.rows) >= 10
    found = search_to_target(limited, target, CONTROL, num_seeds=3)
    assert found.num_missed == 0
    assert all(s == n * COST for s, n in zip(found.samples, found.num_trials, strict=True))


def test_fewer_rows_than_a_target_has_are_refused(table: Table) -> None:
    limited = with_limit(table, "final_density <= 0.02")
    with pytest.raises(StudyError, match="best 10 are the target"):
        find_target(limited, limited.study)


def test_a_search_that_misses_its_target_is_charged_its_whole_budget(table: Table) -> None:
    target = replace(find_target(table, table.study), value=-1.0)
    found = search_to_target(table, target, ASHA, num_seeds=2, budget=7.5 * COST)
    assert found.num_missed == 2
    assert all(7.5 * COST <= samples <= 8.5 * COST for samples in found.samples)


def test_proposals_certain_to_break_a_constraint_are_not_charged_nor_looked_up(
    table: Table,
) -> None:
    limited = with_limit(table, "final_density <= 0.2")
    ended = searched(limited, CONTROL)
    assert len(ended) == 60
    proposed = [end.row for end in searched(table, CONTROL)]
    assert max(map(density, proposed)) > 0.9
    # The nearest row may lie beyond the limit, one that is far from it does not.
    assert (
        max(density(end.row) for end in ended if "pruning.final_density" in end.row.chosen) < 0.4
    )


def test_rows_outside_a_narrower_space_are_left_out(table: Table) -> None:
    raw = table.study.to_dict()
    raw["search"]["space"]["pruning.final_density"]["high"] = 0.2
    narrow = under(table, parse_study(raw))
    kept = [r for r in table.rows if r.chosen.get("pruning.final_density", 0.0) <= 0.2]
    assert list(narrow.rows) == kept
    assert 0 < len(kept) < 60


def test_the_best_so_far_only_ever_improves(table: Table) -> None:
    curve = best_so_far(searched(table, CONTROL), table.study)
    assert [samples for samples, _ in curve] == sorted(samples for samples, _ in curve)
    assert [value for _, value in curve] == sorted((v for _, v in curve), reverse=True)


def test_the_ratio_of_two_means_lies_in_its_interval() -> None:
    low, high = ratio_interval([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert low < 0.5 < high
