"""The two tables are in the form that DeepCAVE's converter for data frames documents.

DeepCAVE itself needs a Python older than ours; docs/report.md says how it was opened.
"""

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest

from analysis.exports.deepcave import write_deepcave
from analysis.exports.objectives import objectives
from analysis.runs.study_runs import Runs
from study.results import Outcome
from tests.helpers.fake_study import FakeTrial, runs_of, usual
from tests.helpers.recorded_studies import NAMES, recorded

DENSITY, SCHEDULE = "pruning.final_density", "pruning.schedule"
HEADING = re.compile(
    r"metric:(\w+) \[(-?\d+\.?\d*|[-+]inf); (-?\d+\.?\d*|[-+]inf)\] \((minimize|maximize)\)"
)


def tables(runs: Runs, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """The search space by name, the trials, and the notes, as they are read again."""
    written = write_deepcave(runs, folder)
    assert [path.name for path in written.files] == ["configspace.csv", "trials.csv"]
    space, trials = map(pd.read_csv, written.files)
    return space.set_index("name"), trials, written.notes


@pytest.mark.parametrize("runs", [runs_of(usual()), *map(recorded, NAMES)])
def test_every_trial_lies_in_the_search_space(tmp_path: Path, runs: Runs) -> None:
    space, trials, _ = tables(runs, tmp_path)
    assert len(trials) >= len(runs.trials) / 2
    for name, row in space.iterrows():
        if row["type"] == "categorical":
            items = set(row.filter(like="item_").dropna())
            assert row["default"] in items
            assert set(trials[name]) <= items  # texts, as the items are
        else:
            assert row["type"] in ("float", "integer")
            assert row["lower"] < row["upper"]
            assert trials[name].between(row["lower"], row["upper"]).all()
    metrics = [column for column in trials.columns if column.startswith("metric")]
    assert [HEADING.fullmatch(column)[1] for column in metrics] == list(objectives(runs))
    assert (trials["end_time"] >= trials["start_time"]).all()
    assert trials["config_id"].is_unique


def test_values_are_those_of_the_study_and_only_results_have_them(tmp_path: Path) -> None:
    runs = runs_of(usual())
    _, trials, notes = tables(runs, tmp_path)
    assert notes == ()
    (heading,) = [column for column in trials.columns if column.startswith("metric:service")]
    ours = runs.trials.set_index("trial_key").loc[trials["trial_key"]]
    complete = (ours["outcome"] == Outcome.COMPLETE).to_numpy()
    assert set(trials["status"]) == {"success", "pruned", "crashed", "aborted"}
    assert (trials["status"] == "success").to_numpy().tolist() == complete.tolist()
    assert trials.loc[complete, heading].tolist() == ours.loc[complete, "service_error"].tolist()
    assert trials.loc[~complete, heading].isna().all()


def test_trials_without_a_number_are_left_out_and_named(tmp_path: Path) -> None:
    runs = runs_of(usual())
    runs.trials.loc[runs.trials["method"] == "dense", DENSITY] = None
    space, trials, notes = tables(runs, tmp_path)
    assert DENSITY in space.index
    assert len(trials) == len(runs.trials) - 3
    assert notes == (f"3 trial(s) have no {DENSITY} and are left out.",)


def test_a_number_that_few_have_becomes_a_plain_column(tmp_path: Path) -> None:
    runs = runs_of(usual())
    runs.trials.loc[runs.trials["method"] != "one_shot", DENSITY] = None
    runs.trials.loc[0, DENSITY] = 1.0
    space, trials, notes = tables(runs, tmp_path)
    assert DENSITY not in space.index
    assert DENSITY in trials
    assert len(trials) == len(runs.trials)
    assert "plain column" in notes[0]


def test_a_choice_that_a_trial_has_not_is_absent(tmp_path: Path) -> None:
    runs = runs_of(usual())
    runs.trials[SCHEDULE] = runs.trials[SCHEDULE].where(runs.trials["method"] != "dense")
    space, trials, _ = tables(runs, tmp_path)
    assert "absent" in set(space.loc[SCHEDULE].filter(like="item_"))
    assert (trials[SCHEDULE] == "absent").sum() == 3


def test_truth_values_stay_texts(tmp_path: Path) -> None:
    runs = runs_of(usual())
    nesterov = [bool(number % 2) for number in runs.trials["number"]]
    runs = dataclasses.replace(runs, trials=runs.trials.assign(**{"training.nesterov": nesterov}))
    space, trials, _ = tables(runs, tmp_path)
    assert set(space.loc["training.nesterov"].filter(like="item_").dropna()) == {"yes", "no"}
    assert set(trials["training.nesterov"]) == {"yes", "no"}


def test_a_trial_that_runs_has_no_end_and_is_left_out(tmp_path: Path) -> None:
    running = FakeTrial(100, outcome=None, megabatches=2)
    _, trials, _ = tables(runs_of([*usual(), running], running=True), tmp_path)
    assert "key100" not in set(trials["trial_key"])
