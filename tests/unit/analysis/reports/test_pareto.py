"""Error against what those who deploy have of pruning, and what training took."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from analysis.figures.figure import Figure, Series
from analysis.presentation.render import records
from analysis.presentation.report import ReportSection
from analysis.reports.pareto.report import ParetoReport
from analysis.runs.study_runs import Runs
from study.results import Outcome
from tests.helpers.fake_study import SERVICE_AND_SIZE, FakeTrial, runs_of, usual

COST = "What training took against dense"


def measured(**changes: tuple[float | None, ...]) -> list[FakeTrial]:
    """Dense, and three that shrink along the stream: faster, smaller, cheaper to train."""
    trials = [
        FakeTrial(0, "dense", 4, 1.0, speedup=0.98, file_bytes=1_000_000, seconds=2.0),
        FakeTrial(1, "app", 4, 0.5, speedup=1.5, file_bytes=500_000, flops=8e8, seconds=1.8),
        FakeTrial(2, "app", 4, 0.25, speedup=2.1, file_bytes=260_000, flops=6e8, seconds=1.4),
        # Slower than the one before and with larger errors, in the smallest file.
        FakeTrial(3, "app", 4, 0.1, speedup=1.9, file_bytes=110_000, flops=5e8, seconds=1.0),
    ]
    for name, values in changes.items():
        trials = [
            replace(trial, **{name: value}) for trial, value in zip(trials, values, strict=True)
        ]
    return trials


def section(runs: Runs) -> ReportSection:
    return ParetoReport().build(runs)


def names(found: ReportSection) -> list[str]:
    return [figure.name for figure in found.figures]


def drawn(trials: Sequence[FakeTrial], name: str) -> Figure:
    (figure,) = [f for f in section(runs_of(trials)).figures if f.name == name]
    return figure


def xs(series: Sequence[Series], *, ringed: bool) -> set[float]:
    return {x for s in series for x in s.x if s.mark == "points" and s.ringed is ringed}


def test_error_is_drawn_against_speed_up_with_a_front_of_its_own() -> None:
    figure = drawn(measured(), "pareto-speedup")
    (panel,) = figure.panels
    assert figure.x.title == "speed-up (times as fast as dense)"
    assert not figure.x.percent
    assert panel.y.title == "service error (holdout)"
    assert xs(panel.series, ringed=True) == {0.98, 1.5, 2.1}
    assert xs(panel.series, ringed=False) == {1.9}
    assert [s.x for s in panel.series if s.method == "dense"] == [(0.98,)]
    (band,) = panel.bands
    assert band.text.startswith("dense, T = 4: ")
    assert "the front of service error and speed-up" in figure.caption


def test_error_is_drawn_against_the_files_size_in_kb() -> None:
    figure = drawn(measured(), "pareto-file-bytes")
    assert (figure.x.title, figure.title) == ("file size (kB)", "File size against service error")
    assert xs(figure.panels[0].series, ringed=True) == {1000.0, 500.0, 260.0, 110.0}


def test_pointing_at_a_trial_says_how_fast_it_is_and_how_large_its_file() -> None:
    texts = [
        text
        for series in drawn(measured(), "pareto-final-density").panels[0].series
        for text in series.hover
        if text.startswith("trial 2:")
    ]
    assert len(texts) == 1
    assert "2.10 times as fast as dense [1.89, 2.31]" in texts[0].splitlines()
    assert "file 260 kB" in texts[0].splitlines()


def test_nothing_new_is_shown_of_a_study_that_measured_nothing() -> None:
    found = section(runs_of(usual()))
    assert names(found) == ["pareto-final-density", "pareto-hypervolume"]
    assert COST not in {table.title for table in found.tables}
    assert not any("Training" in s or "wall time" in s for s in found.sentences)
    hover = [t for f in found.figures for p in f.panels for s in p.series for t in s.hover]
    assert hover
    assert not any("as fast" in text or "file" in text for text in hover)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"speedup": (None, None, 2.1, None)}, {"pareto-file-bytes"}),
        ({"speedup": (None, 1.9, 2.1, None)}, {"pareto-speedup", "pareto-file-bytes"}),
        ({"file_bytes": (1e6, 0.991e6, 1e6, 1e6)}, {"pareto-speedup"}),
        ({"file_bytes": (1e6, 0.98e6, 1e6, 1e6)}, {"pareto-speedup", "pareto-file-bytes"}),
        ({"file_bytes": (None, None, None, 1e6)}, {"pareto-speedup"}),
    ],
)
def test_a_figure_takes_two_speed_ups_or_files_that_differ_by_a_hundredth(
    changes: dict[str, tuple[float | None, ...]], expected: set[str]
) -> None:
    found = set(names(section(runs_of(measured(**changes)))))
    assert found - {"pareto-final-density", "pareto-hypervolume", "pareto-train-flops"} == expected


def test_a_speed_up_that_is_an_objective_has_one_figure() -> None:
    runs = runs_of(measured(), objectives=("speedup", "service_error"))
    found = section(runs)
    assert names(found) == ["pareto-service-error", "pareto-file-bytes", "pareto-hypervolume"]
    assert found.figures[0].panels[0].y.title == "speed-up (times as fast as dense)"


def test_with_metrics_only_these_are_drawn() -> None:
    found = ParetoReport(metrics="final_error,final_density").build(runs_of(measured()))
    assert names(found) == ["pareto-final-density", "pareto-hypervolume"]


def test_crosses_are_explained_where_there_are_any() -> None:
    stopped = FakeTrial(9, "app", 4, 0.05, outcome=Outcome.EARLY_STOPPED, megabatches=2)
    trials = [*measured(), stopped]
    assert "Crosses" in drawn(trials, "pareto-final-density").caption
    # One that was stopped has no speed-up.
    assert "Crosses" not in drawn(trials, "pareto-speedup").caption


def test_what_training_took_is_told_of_the_network_that_may_be_as_good() -> None:
    sentences = section(runs_of(measured(), objectives=SERVICE_AND_SIZE)).sentences
    assert sentences[0].startswith("The smallest network that may be as good as dense: 50 %")
    assert sentences[1:4] == (
        "Training the network with 50 % of the weights (app, T = 4, trial 1) took 0.80 times the "
        "FLOPs and 0.90 times the wall time of dense on as many examples.",
        "Of the 3 pruned configurations that took another number of FLOPs than dense, training "
        "took 0.50 to 0.80 times the FLOPs and 0.50 to 0.90 times the wall time.",
        "Wall times are those of a machine that may have had other work.",
    )


def test_what_training_took_is_the_mean_over_seeds_with_an_interval() -> None:
    trials = [FakeTrial(s, "dense", 4, 1.0, s, seconds=2.0) for s in range(3)]
    trials += [
        FakeTrial(3 + s, "app", 4, 0.25, s, flops=5.8e8, seconds=1.2 + 0.1 * s) for s in range(3)
    ]
    sentences = section(runs_of(trials)).sentences
    assert (
        "Training the network with 25 % of the weights (app, T = 4, mean over its 3 seeds) took "
        "0.58 times the FLOPs and 0.65 times [0.53, 0.77] the wall time of dense on as many "
        "examples."
    ) in sentences
    assert not any(sentence.startswith("Of the ") for sentence in sentences)


def test_where_no_network_may_be_as_good_the_cheapest_is_told() -> None:
    bad = [replace(t, harm=0.0 if t.method == "dense" else 0.3) for t in measured()]
    sentences = section(runs_of(bad)).sentences
    assert any(s.startswith("Training the network with 10 % of the weights") for s in sentences)


def test_the_table_of_training_has_the_cheapest_first_and_no_more_than_the_limit() -> None:
    runs = runs_of(measured())
    (table,) = [t for t in section(runs).tables if t.title == COST]
    rows = records(table)
    assert [row["number"] for row in rows] == [3, 2, 1]
    assert rows[0]["train_flops_ratio"] == pytest.approx(0.5)
    assert (rows[0]["wall_seconds"], rows[0]["dense_wall_seconds"]) == (4.0, 8.0)
    assert rows[0]["wall_seconds_ratio"] == pytest.approx(0.5)
    assert rows[0]["wall_seconds_ratio_interval"] is None
    short = ParetoReport(limit=2).build(runs).tables
    (table,) = [t for t in short if t.title == f"{COST}, the cheapest 2 of 3"]
    assert len(table.rows) == 2


def test_without_histories_flops_are_told_alone() -> None:
    runs = runs_of(measured())
    found = section(replace(runs, megabatches=runs.megabatches.iloc[:0]))
    assert any(
        sentence.endswith("took 0.80 times the FLOPs of dense on as many examples.")
        for sentence in found.sentences
    )
    assert not any("wall time" in s.lower() for s in found.sentences)


def test_on_the_test_split_there_is_no_front_and_the_cheapest_is_told() -> None:
    runs = runs_of(measured(), objectives=())
    none = {
        name: float("nan")
        for name in ("service_error", "final_error", "holdout_error_rate", "mean_error")
    }
    sizes = {"data.test_size": 360}
    found = section(replace(runs, trials=runs.trials.assign(**none, **sizes)))
    assert {"pareto-speedup", "pareto-file-bytes"} <= set(names(found))
    (panel,) = next(f for f in found.figures if f.name == "pareto-speedup").panels
    assert not any(series.mark == "line" for series in panel.series)
    assert any(s.startswith("Training the network with 10 %") for s in found.sentences)
