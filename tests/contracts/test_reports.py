import dataclasses
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable

import pandas as pd
import pytest
from plotly import graph_objects as go

from analysis.errors import ReportError
from analysis.figures import drawing
from analysis.presentation import render
from analysis.presentation.report import REPORTS, Report, ReportSection
from analysis.reports.discovery import load_reports
from analysis.runs.study_runs import Runs
from study.registry import hyperparameters
from study.results import Outcome
from tests.helpers.fake_study import FakeTrial, runs_of, usual, without_param

load_reports()


def _failed() -> Runs:
    return runs_of(
        [FakeTrial(i, outcome=Outcome.ERROR, megabatches=0, reason="boom") for i in range(3)]
    )


def _running() -> Runs:
    return runs_of([*usual((4,)), FakeTrial(50, outcome=None, megabatches=2)], running=True)


def _seeds() -> Runs:
    methods = (("dense", 1.0), ("one_shot", 0.1), ("app", 0.1))
    trials = [
        FakeTrial(3 * seed + i, name, 4, density, seed)
        for seed in range(3)
        for i, (name, density) in enumerate(methods)
    ]
    return runs_of(trials, objectives=())


def _no_curves() -> Runs:
    runs = runs_of(usual())
    return dataclasses.replace(runs, megabatches=runs.megabatches.iloc[:0])


def _shrinking() -> Runs:
    """Channels fall: trials are faster, smaller and cheaper than dense, one of them not timed."""
    measured = [
        dataclasses.replace(
            trial,
            speedup=None if trial.number == 3 else trial.density**-0.5,
            file_bytes=1e6 * trial.density,
            flops=1e9 * (1 + trial.density) / 2,
        )
        for trial in usual((4,))
    ]
    return runs_of(measured)


STUDIES: dict[str, Callable[[], Runs]] = {
    "usual": lambda: runs_of(usual()),
    "empty": lambda: runs_of([]),
    "one": lambda: runs_of([FakeTrial(0)]),
    "all failed": _failed,
    "running": _running,
    "only started": lambda: runs_of([FakeTrial(0, outcome=None, megabatches=0)], running=True),
    "several seeds": _seeds,
    "one objective": lambda: runs_of(usual(), objectives=("service_error",)),
    "test objective": lambda: runs_of(usual(), objectives=("test_service_error",)),
    "no holdout size": lambda: without_param(usual(), "data.holdout_size"),
    "no curves": _no_curves,
    "shrinking networks": _shrinking,
}


@pytest.fixture(scope="module", params=list(STUDIES))
def runs(request: pytest.FixtureRequest) -> Runs:
    return STUDIES[request.param]()


@dataclasses.dataclass(frozen=True)
class Built:
    """What a report makes of a study, and the study's frames as they were before."""

    report: Report
    section: ReportSection
    before: tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module", params=REPORTS.names())
def built(request: pytest.FixtureRequest, runs: Runs) -> Built:
    before = runs.trials.copy(deep=True), runs.megabatches.copy(deep=True)
    report = REPORTS.get(request.param)()
    return Built(report, report.build(runs), before)


def test_a_report_makes_a_section_of_any_study_and_changes_nothing(
    built: Built, runs: Runs
) -> None:
    section = built.section
    assert section.title
    assert section.sentences or any(table.rows for table in section.tables)
    pd.testing.assert_frame_equal(runs.trials, built.before[0])
    pd.testing.assert_frame_equal(runs.megabatches, built.before[1])
    assert section == type(built.report)().build(runs)


def test_a_report_renders_in_every_format(built: Built) -> None:
    section = built.section
    for fmt in (render.Format.MD, render.Format.CSV):
        assert "nan" not in render.render(section, fmt).lower().split()
    made = json.loads(render.render(section, render.Format.JSON))
    assert [len(t["rows"]) for t in made["tables"]] == [len(t.rows) for t in section.tables]


def test_every_figure_can_be_drawn_and_its_name_is_its_own(built: Built) -> None:
    figures = built.section.figures
    assert len({figure.name for figure in figures}) == len(figures)
    for figure in figures:
        assert figure.caption
        for panel in figure.panels:
            for series in panel.series:
                assert len(series.x) == len(series.y)
                assert len(series.hover) in (0, len(series.x))
                assert len(series.low) == len(series.high)
                assert len(series.low) in (0, len(series.x))
        assert isinstance(drawing.draw(figure, drawing.LIGHT), go.Figure)


@pytest.mark.parametrize("name", REPORTS.names())
def test_a_report_says_what_it_is_and_each_option_has_a_default_and_help(name: str) -> None:
    cls = REPORTS.get(name)
    assert issubclass(cls, Report)
    assert cls.__doc__
    for field in hyperparameters(cls).values():
        assert field.default is not dataclasses.MISSING
        assert field.metadata["help"]
    assert pickle.loads(pickle.dumps(cls())) == cls()


def test_the_front_is_ringed_and_coloured_and_all_else_is_grey() -> None:
    runs = runs_of(usual())
    figure = REPORTS.get("pareto")().build(runs).figures[0]
    (panel,) = figure.panels
    stopped = [s for s in panel.series if s.name == "not finished"]
    assert {x for s in stopped for x in s.x} == set(
        runs.trials.loc[runs.trials["number"].isin([15, 17]), "density"]
    )
    ringed = [s for s in panel.series if s.ringed]
    assert sum(len(s.x) for s in ringed) == 4
    assert all(s.method for s in ringed)
    assert all(not s.method for s in panel.series if not s.ringed)
    shown = sum(len(s.x) for s in panel.series if s.mark == "points")
    assert shown == 17  # all but the one that failed before its first megabatch


def test_the_stripe_is_the_interval_of_the_best_dense_trial() -> None:
    figure = REPORTS.get("pareto")().build(runs_of(usual())).figures[0]
    (band,) = figure.panels[0].bands
    assert band.text == "dense, T = 8: 13.8 % [10.6, 17.7]"
    assert band.low < band.value < band.high


def test_the_front_is_of_the_metrics_asked_for_and_no_other_number_of_them() -> None:
    report = REPORTS.get("pareto")
    runs = runs_of(usual())
    made = report(metrics="final_error,stream").build  # type: ignore[call-arg]  # its own option
    with pytest.raises(ReportError, match="there is no metric 'stream'"):
        made(runs)
    with pytest.raises(ReportError, match="two or three metrics"):
        report(metrics="final_error").build(runs)  # type: ignore[call-arg]  # its own option
    section = report(metrics="final_error,final_density,mean_error").build(runs)  # type: ignore[call-arg]  # its own option
    assert [f.name for f in section.figures] == [
        "pareto-final-density",
        "pareto-mean-error",
        "pareto-hypervolume",
    ]


def test_the_hypervolume_counts_finished_trials_alone_and_never_falls() -> None:
    section = REPORTS.get("pareto")().build(runs_of(usual()))
    (line,) = section.figures[-1].panels[0].series
    assert len(line.x) == 15
    assert list(line.y) == sorted(line.y)
    assert any("densities on a logarithmic axis from 0.1 %" in s for s in section.sentences)


def test_curves_show_the_baselines_of_equal_length_and_hold_what_was_recorded() -> None:
    runs = runs_of(usual())
    section = REPORTS.get("curves")().build(runs)
    assert [figure.title for figure in section.figures] == ["T = 2", "T = 4", "T = 8"]
    errors, gaps, densities = section.figures[2].panels
    # A line a method, of the size of the smallest network as good as dense: 30 %.
    assert [s.method for s in errors.series] == ["dense", "app", "one_shot"]
    assert len(gaps.series) == 3
    dense = FakeTrial(10, "dense", 8, 1.0)
    assert errors.series[0].y == tuple(dense.errors)
    assert errors.series[0].x == tuple((k + 1) / 8 for k in range(8))
    assert set(densities.series[0].y) == {1.0}
    assert densities.series[1].y == tuple(FakeTrial(12, "app", 8, 0.3).densities())


def test_curves_of_several_seeds_are_their_mean_with_an_interval() -> None:
    (figure,) = REPORTS.get("curves")().build(_seeds()).figures
    dense = figure.panels[0].series[0]
    assert dense.name == "dense (3 seeds)"
    last = [FakeTrial(0, "dense", 4, 1.0, seed).errors[-1] for seed in range(3)]
    assert dense.y[-1] == pytest.approx(sum(last) / 3)
    assert dense.low[-1] < dense.y[-1] < dense.high[-1]


def test_the_front_is_listed_with_the_dense_that_each_compares_with() -> None:
    rows = render.records(REPORTS.get("pareto")().build(runs_of(usual())).tables[0])
    assert [row["number"] for row in rows] == [10, 12, 13, 14]
    assert {row["dense_service_error"] for row in rows} == {rows[0]["service_error"]}


def test_runs_filters_and_sorts_and_says_why_trials_failed() -> None:
    chosen = REPORTS.get("runs")(sort=("final_density",), where=("method=app",))  # type: ignore[call-arg]  # its own options
    section = chosen.build(runs_of(usual()))
    rows = render.records(section.tables[0])
    assert [row["number"] for row in rows] == [4, 9, 14, 3, 8, 13, 2, 7, 12, 17]
    assert "Trial 16 failed: out of memory" in section.sentences


def test_all_columns_of_runs_are_to_be_had() -> None:
    runs = runs_of(usual())
    section = REPORTS.get("runs")(columns="all").build(runs)  # type: ignore[call-arg]  # its own option
    rows = render.records(section.tables[0])
    assert set(rows[0]) == set(runs.trials.columns)
    assert rows[0]["training.total_samples"] == 10_000
    assert rows[0]["training.nesterov"] is False


def test_a_thousand_trials_are_reported_in_seconds() -> None:
    lengths = (2, 4, 8)
    trials = [
        FakeTrial(i, ("dense", "app", "cubic")[i % 3], lengths[i // 3 % 3], 0.01 + 0.0009 * i)
        for i in range(1000)
    ]
    runs = runs_of(trials)
    started = time.process_time()
    for name in REPORTS:
        assert REPORTS.get(name)().build(runs).title
    assert time.process_time() - started < 100.0


def test_the_command_line_starts_without_any_heavy_library() -> None:
    heavy = ("torch", "ray", "mlflow", "pandas", "scipy", "plotly", "optuna", "numpy")
    code = f"import sys, analysis.cli\nprint([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
