"""A study in Optuna's form says what our record says, and Optuna's own tools open it."""

import dataclasses
import datetime
import json
import warnings
from pathlib import Path

import optuna
import pytest

from analysis.errors import ReportError
from analysis.exports.optuna_study import frozen_trials, write_optuna
from analysis.runs.study_runs import Runs
from analysis.statistics.summary import pareto_front
from study.results import Outcome
from study.tracking import names
from tests.helpers.fake_study import FakeTrial, runs_of, usual
from tests.helpers.recorded_studies import recorded

State = optuna.trial.TrialState
DENSITY, SCHEDULE = "pruning.final_density", "pruning.schedule"
SPACE = {
    SCHEDULE: '{"choices": ["app", "one_shot", "linear", "cubic"]}',
    DENSITY: '{"low": 0.02, "high": 1.0, "log": true}',
    "stream.num_megabatches": '{"low": 2, "high": 8, "step": 2}',
}


def searched(runs: Runs, **params: str) -> Runs:
    space = {names.PARAM_SPACE + path: text for path, text in SPACE.items()}
    study = dataclasses.replace(runs.study, params={**space, **params})
    return dataclasses.replace(runs, study=study)


def loaded(runs: Runs, folder: Path) -> optuna.Study:
    (path,) = write_optuna(runs, folder).files
    return optuna.load_study(study_name=runs.study.name, storage=f"sqlite:///{path}")


def test_trials_have_their_number_values_settings_state_and_times(tmp_path: Path) -> None:
    runs = searched(runs_of(usual()))
    study = loaded(runs, tmp_path)
    assert study.metric_names == ["service_error", "final_density"]
    assert [d.name for d in study.directions] == ["MINIMIZE", "MINIMIZE"]
    ours = runs.trials.set_index("number")
    assert [trial.number for trial in study.trials] == list(ours.index)
    for trial in study.trials:
        row = ours.loc[trial.number]
        if row["outcome"] == Outcome.COMPLETE:
            assert trial.state == State.COMPLETE
            assert trial.values == [row["service_error"], row["final_density"]]
        assert trial.params == {path: row[path] for path in SPACE}
        assert trial.user_attrs["title"] == row["title"]
        assert trial.datetime_start == datetime.datetime.fromtimestamp(row["started_at"])
        trained = runs.megabatches.query("trial_key == @row.trial_key")["seconds"].sum()
        assert trial.duration == datetime.timedelta(seconds=trained)
    states = dict(zip(ours["outcome"], (t.state for t in study.trials), strict=True))
    assert states[Outcome.EARLY_STOPPED] == State.PRUNED
    assert states[Outcome.ERROR] == states[Outcome.INTERRUPTED] == State.FAIL


def test_domains_are_those_searched_widened_to_the_points_outside(tmp_path: Path) -> None:
    study = loaded(searched(runs_of(usual())), tmp_path)
    (space,) = {tuple(sorted(t.distributions.items())) for t in study.trials}
    domains = dict(space)
    assert domains[DENSITY] == optuna.distributions.FloatDistribution(0.01, 1.0, log=True)
    assert set(domains[SCHEDULE].choices) == {"app", "one_shot", "linear", "cubic", "dense"}
    assert domains["stream.num_megabatches"] == optuna.distributions.IntDistribution(2, 8, step=2)


def test_optunas_figures_draw_it(tmp_path: Path) -> None:
    study = loaded(recorded("digits-search"), tmp_path)
    first = {"target": lambda trial: trial.values[0], "target_name": study.metric_names[0]}
    forest = optuna.importance.FanovaImportanceEvaluator(n_trees=4, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        figures = [
            optuna.visualization.plot_pareto_front(study),
            optuna.visualization.plot_timeline(study),
            optuna.visualization.plot_param_importances(study, forest, **first),
            optuna.visualization.plot_slice(study, **first),
        ]
    assert all(figure.data for figure in figures)
    best = {trial.number for trial in study.best_trials}
    runs = recorded("digits-search")
    front = pareto_front(runs.trials, list(runs.study.objectives))
    assert best == set(runs.trials.loc[front, "number"])


def test_with_one_objective_the_running_one_is_an_intermediate_value() -> None:
    runs = runs_of(usual(), objectives=("service_error",))
    trials = frozen_trials(runs)
    stopped = next(t for t in trials if t.state == State.PRUNED)
    assert sorted(stopped.intermediate_values) == [12, 25, 38]
    complete = next(t for t in trials if t.state == State.COMPLETE)
    assert complete.intermediate_values[100] == pytest.approx(complete.value)


def test_constraints_are_kept_at_most_at_zero() -> None:
    runs = searched(runs_of(usual()), **{names.PARAM_CONSTRAINTS: "final_density <= 0.2"})
    for trial in frozen_trials(runs):
        if trial.state == State.COMPLETE:
            (violation,) = trial.constraints.values()
            assert (violation <= 0) == (trial.values[1] <= 0.2 * 1.01)


def test_a_setting_that_a_trial_has_not_is_no_param_of_it() -> None:
    runs = runs_of(usual())
    dense = runs.trials["method"] == "dense"
    runs.trials.loc[dense, DENSITY] = None
    for trial, is_dense in zip(frozen_trials(searched(runs)), dense, strict=True):
        assert (DENSITY in trial.params) != is_dense


def test_a_grid_is_compared_by_its_service_error() -> None:
    trials = frozen_trials(runs_of(usual(), objectives=()))
    assert set(trials[0].params) == {SCHEDULE, DENSITY, "stream.num_megabatches"}
    assert len(trials[0].values) == 1


def test_exported_again_it_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    runs = runs_of(usual())
    loaded(runs, tmp_path)
    assert len(loaded(runs, tmp_path).trials) == len(runs.trials)
    assert [path.name for path in tmp_path.iterdir()] == ["optuna.db"]


def test_a_running_trial_runs_there_too() -> None:
    (trial,) = frozen_trials(runs_of([FakeTrial(0, outcome=None, megabatches=2)], running=True))
    assert trial.state == State.RUNNING
    assert trial.datetime_complete is None


def test_a_grid_without_a_result_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="service_error"):
        write_optuna(runs_of([], objectives=()), tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="--out"):
        write_optuna(runs_of(usual()), tmp_path / "file")


def test_optuna_dashboard_serves_it(tmp_path: Path) -> None:
    from bottle import Bottle
    from optuna_dashboard import wsgi

    runs = recorded("digits-search")
    (path,) = write_optuna(runs, tmp_path).files
    app = wsgi(f"sqlite:///{path}")
    assert isinstance(app, Bottle)
    answered: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/api/studies/1", "QUERY_STRING": "after=0",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "wsgi.url_scheme": "http",
        "HTTP_ACCEPT": "application/json", "CONTENT_TYPE": "application/json",
    }  # fmt: skip
    body = b"".join(app(environ, lambda status, *_: answered.append(status)))
    assert answered == ["200 OK"]
    shown = json.loads(body)
    assert len(shown["trials"]) == len(runs.trials)
    assert shown["objective_names"] == list(runs.study.objectives)
