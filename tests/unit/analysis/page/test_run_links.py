"""A trial leads to its run in MLflow, where that is on the web."""

import pytest

from analysis.page.page import page, sections
from analysis.presentation.report import REPORTS
from analysis.reports.discovery import load_reports
from analysis.runs.frames import trials_frame
from study.tracking.run_store import StoredRun
from tests.helpers.fake_study import runs_of, usual
from tests.helpers.page_reader import Page

load_reports()
SERVER = "https://mlflow.example/base"


def a_run(experiment_id: str = "7") -> StoredRun:
    return StoredRun("abc", "FINISHED", 1_500, {}, {}, {}, experiment_id)


def test_a_runs_address_is_its_page_on_the_server() -> None:
    (run,) = trials_frame([a_run()], server=SERVER).to_dict("records")
    assert run["run_url"] == f"{SERVER}/#/experiments/7/runs/abc"
    assert run["started_at"] == 1.5


@pytest.mark.parametrize(("server", "experiment"), [("", "7"), (SERVER, "")])
def test_without_a_server_or_an_experiment_there_is_none(server: str, experiment: str) -> None:
    (run,) = trials_frame([a_run(experiment)], server=server).to_dict("records")
    assert run["run_url"] == ""


def test_each_number_of_a_trial_in_a_table_is_a_link_and_each_point_has_its_trial() -> None:
    runs = runs_of(usual())
    urls = [f"{SERVER}/#/experiments/1/runs/run{n}" for n in runs.trials["number"]]
    runs.trials["run_url"] = urls
    made = {
        "runs": REPORTS.get("runs")().build(runs),
        "pareto": REPORTS.get("pareto")().build(runs),
    }
    read = Page(page(runs, [], made))
    assert set(urls) <= set(read.addresses)
    points = [s for f in made["pareto"].figures for p in f.panels for s in p.series if s.trials]
    assert {number for s in points for number in s.trials} <= set(runs.trials["number"])
    assert all(len(s.trials) == len(s.x) for s in points)
    assert points


def test_without_a_server_the_page_has_no_link_to_one() -> None:
    runs = runs_of(usual())
    assert "http" not in " ".join(Page(page(runs, [], sections(runs))).addresses)
