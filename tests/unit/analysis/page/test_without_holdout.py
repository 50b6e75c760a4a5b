"""Where errors are of the test split, nothing is chosen: tables and means, and no winner."""

from dataclasses import replace

import pytest

from analysis.comparison.dense_baseline import Baselines
from analysis.comparison.measure import measure_of
from analysis.page.answer import answer
from analysis.presentation.report import REPORTS
from analysis.reports.discovery import load_reports
from analysis.runs.study_runs import Runs
from tests.helpers.fake_study import SERVICE_AND_SIZE, FakeTrial, runs_of, usual

load_reports()

_ON_HOLDOUT = ("service_error", "final_error", "holdout_error_rate", "anytime_error", "mean_error")


def on_test(trials: list[FakeTrial], objectives: tuple[str, ...] = ()) -> Runs:
    """Their frames as if the study had no holdout."""
    runs = runs_of(trials, objectives=objectives)
    missing = dict.fromkeys(_ON_HOLDOUT, float("nan"))
    return replace(
        runs,
        trials=runs.trials.assign(**missing, **{"data.test_size": 360}),
        megabatches=runs.megabatches.assign(holdout_error_rate=float("nan")),
    )


def seeds() -> list[FakeTrial]:
    methods = (("dense", 1.0), ("one_shot", 0.1), ("app", 0.1))
    return [
        FakeTrial(3 * seed + i, name, 4, density, seed)
        for seed in range(3)
        for i, (name, density) in enumerate(methods)
    ]


@pytest.mark.parametrize("objectives", [(), ("test_service_error",), SERVICE_AND_SIZE])
def test_the_answer_names_no_winner_and_what_to_do(objectives: tuple[str, ...]) -> None:
    said = answer(on_test(usual(), objectives))
    assert said[0].startswith("Results are on the test split, so nothing is chosen on it")
    assert "data.holdout_fraction above 0" in said[0]
    text = " ".join(said)
    for word in ("smallest", "The best", "The lowest", "as good as dense"):
        assert word not in text


def test_means_and_planned_comparisons_are_made_in_the_order_of_the_trials() -> None:
    said = answer(on_test(seeds()))
    assert [sentence.partition(",")[0] for sentence in said[1:4]] == ["dense", "one_shot", "app"]
    assert any(sentence.startswith("Undecided: app against one_shot") for sentence in said)
    methods = REPORTS.get("methods")().build(on_test(seeds()))
    assert [table.title for table in methods.tables][:1] == ["Differences"]


@pytest.mark.parametrize("name", ["pareto", "megabatches", "search"])
def test_a_section_that_would_choose_lists_instead(name: str) -> None:
    section = REPORTS.get(name)().build(on_test(usual()))
    said = " ".join(section.sentences)
    assert "nothing is chosen on it" in said
    said = said.replace("named the best", "").replace("None of them is a winner or on a front", "")
    for word in ("smallest", "best", "lowest", "front"):
        assert word not in said


@pytest.mark.parametrize("objectives", [(), ("test_service_error",), SERVICE_AND_SIZE])
@pytest.mark.parametrize("name", REPORTS.names())
def test_no_section_shows_a_winner_in_a_table_or_a_figure(
    name: str, objectives: tuple[str, ...]
) -> None:
    many = [
        FakeTrial(2 * n + place, "app", t, 0.05 * (n + 1))
        for n in range(12)
        for place, t in enumerate((2, 4))
    ]
    section = REPORTS.get(name)().build(on_test(many, objectives))
    shown = [column.title for table in section.tables for column in table.columns]
    shown += [text for figure in section.figures for text in (figure.title, figure.caption)]
    shown += [s.name for f in section.figures for panel in f.panels for s in panel.series]
    shown += [table.title for table in section.tables]
    for text in shown:
        for word in ("lowest error", "best so far", "served best", "The best", "Best by", "Front"):
            assert word not in text


def test_pareto_lists_trials_and_draws_them_all_alike() -> None:
    section = REPORTS.get("pareto")().build(on_test(usual()))
    assert [table.title for table in section.tables] == ["Finished trials, the first 12 of 15"]
    assert [row[0] for row in section.tables[0].rows] == list(range(12))
    names = {series.name for f in section.figures for p in f.panels for series in p.series}
    assert "dominated" not in names
    assert not any(panel.bands for figure in section.figures for panel in figure.panels)


def test_curves_draw_dense_and_say_nothing_of_a_best() -> None:
    section = REPORTS.get("curves")().build(on_test(usual()))
    assert section.sentences[0].startswith("The model of a megabatch serves")


def test_of_several_dense_trials_none_is_chosen_by_its_test_error() -> None:
    trials = [
        FakeTrial(0, "dense", 4, 1.0, 1, harm=0.05),
        FakeTrial(1, "dense", 4, 1.0, 2),
        FakeTrial(2, "app", 4, 0.2, 3),
    ]
    for runs, expected in ((on_test(trials), 0), (runs_of(trials), 1)):
        measure = measure_of(runs)
        pruned = runs.trials.to_dict("records")[2]
        baseline = Baselines(runs, measure).for_trial(pruned)
        assert baseline is not None
        assert baseline.trial["number"] == expected
