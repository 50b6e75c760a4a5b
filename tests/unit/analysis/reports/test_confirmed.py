"""What fresh seeds say of the best of a search: figures against those made by hand."""

from collections.abc import Callable
from dataclasses import replace
from statistics import mean

import pytest

from analysis.comparison.fresh_seeds import confirmation, confirming
from analysis.figures.drawing import LIGHT, draw
from analysis.page.answer import answer
from analysis.presentation.render import Format, records, render
from analysis.reports.checklist import ChecklistReport
from analysis.reports.confirmed.report import ConfirmedReport
from analysis.runs.several_studies import combined
from analysis.runs.study_runs import Runs
from study.results import Outcome
from tests.helpers.fake_confirmation import (
    ONE_SHOT_HARM,
    SEARCHED,
    confirmed_runs,
    confirming_runs,
    service_errors,
)
from tests.helpers.fake_study import FakeTrial, runs_of, usual

SEEDS = tuple(range(1, 9))


def services(method: str, density: float, seeds: tuple[int, ...] = SEEDS) -> list[float]:
    harm = ONE_SHOT_HARM * (method == "one_shot")
    return [
        service_errors(FakeTrial(0, method, 8, density, seed, harm=harm))["service_error"]
        for seed in seeds
    ]


def test_each_trial_has_its_mean_and_its_optimism() -> None:
    found = confirmation(confirming_runs(SEEDS, flattery=0.02))
    assert [arm.number for arm in found.chosen] == [12, 13]
    for arm, (number, (method, density)) in zip(found.chosen, SEARCHED.items(), strict=True):
        fresh = services(method, density)
        searched = service_errors(FakeTrial(0, method, 8, density))["service_error"] - 0.02
        assert arm.name == f"app, T = 8, trial {number}"
        assert sorted(arm.values) == pytest.approx(sorted(fresh))
        assert arm.searched == pytest.approx(searched)
        assert arm.mean == pytest.approx(mean(fresh))
        assert arm.optimism is not None
        assert arm.optimism.estimate == pytest.approx(mean(fresh) - searched)
        interval = arm.optimism.interval()
        assert interval is not None
        assert arm.optimism.estimate in interval


def test_each_trial_is_paired_by_seed_with_its_baselines_and_no_others() -> None:
    found = confirmation(confirming_runs(SEEDS))
    couples = [(c.a, c.b, c.density) for c in found.comparisons]
    assert couples == [
        ("app, T = 8, trial 12", "dense", "30 %"),
        ("app, T = 8, trial 12", "one_shot", "30 %"),
        ("app, T = 8, trial 13", "dense", "8 %"),
        ("app, T = 8, trial 13", "one_shot", "8 %"),
    ]
    by_hand = [a - b for a, b in zip(services("app", 0.3), services("one_shot", 0.3), strict=True)]
    result = found.comparisons[1].result
    (stratum,) = result.strata
    assert list(stratum) == pytest.approx(by_hand)
    assert result.estimate == pytest.approx(mean(by_hand))
    assert result.p == pytest.approx(2 / 2**8)


def test_where_more_is_better_the_search_is_optimistic_if_it_had_found_more() -> None:
    runs = confirming_runs(SEEDS)
    params = {**runs.study.params, "confirms.searched.12.holdout_accuracy": "0.99"}
    runs = replace(
        runs,
        study=replace(runs.study, params=params),
        trials=runs.trials.assign(holdout_accuracy=0.97),
    )
    arm = confirmation(runs, "holdout_accuracy").chosen[0]
    assert arm.optimism is not None
    assert arm.optimism.estimate == pytest.approx(0.02)


def test_an_interval_that_includes_0_is_said_to() -> None:
    drift = mean(services("app", 0.3)) - services("app", 0.3, (0,))[0]
    honest = confirming_runs(SEEDS, flattery=-drift)
    said = ConfirmedReport().build(honest).sentences
    assert "optimism " in said[1]
    assert said[1].endswith("an interval that includes 0.")
    flattered = ConfirmedReport().build(confirming_runs(SEEDS, flattery=0.1)).sentences
    assert "includes 0" not in flattered[1]


def test_pairs_of_unequal_density_are_left_out_and_counted_but_for_dense() -> None:
    runs = confirming_runs(SEEDS)
    off = (runs.trials["confirmed_trial"] == "12") & (runs.trials["seed"] == 1)
    trials = runs.trials.copy()
    trials.loc[off, "density"] += 0.001  # a weight of a thousand
    found = confirmation(replace(runs, trials=trials))
    pairs = {(c.a, c.b): c.result.num_pairs for c in found.comparisons}
    assert pairs["app, T = 8, trial 12", "one_shot"] == 7
    assert pairs["app, T = 8, trial 12", "dense"] == 8
    assert found.num_unequal == 1
    said = " ".join(ConfirmedReport().build(replace(runs, trials=trials)).sentences)
    assert "1 pair of trials is left out: pruned to different densities" in said


def test_a_seed_that_failed_is_missing_in_its_arm_and_its_pairs_and_is_reported() -> None:
    runs = confirming_runs(SEEDS)
    trials = runs.trials.copy()
    lost = (trials["baseline_of"] == "12,13") & (trials["seed"] == 3)
    trials.loc[lost, "outcome"] = Outcome.ERROR.value
    runs = replace(runs, trials=trials)
    pairs = {(c.a, c.b): c.result.num_pairs for c in confirmation(runs).comparisons}
    assert pairs["app, T = 8, trial 12", "dense"] == 7
    assert pairs["app, T = 8, trial 12", "one_shot"] == 8
    said = ConfirmedReport().build(runs).sentences
    assert "each with 7 to 8 seeds" in said[0]
    assert said[-1] == "1 trial did not finish and is not compared: 1 error."


def test_the_table_has_every_arm_with_what_was_searched_and_what_was_confirmed() -> None:
    section = ConfirmedReport().build(confirmed_runs())
    rows = records(section.tables[0])
    assert [row["number"] for row in rows] == [12, 13, None, None, None]
    assert [row["baseline_of"] for row in rows] == [None, None, "12, 13", "12", "13"]
    assert all(row["seeds"] == 4 for row in rows)
    for row, (method, density) in zip(rows[:2], SEARCHED.values(), strict=True):
        found = service_errors(FakeTrial(0, method, 8, density))
        assert row["searched"] == pytest.approx(found["service_error"] - 0.02)
        assert row["test_searched"] == pytest.approx(found["test_service_error"] - 0.02)
        assert row["optimism"] == pytest.approx(row["service_error"] - row["searched"])
    assert rows[2]["searched"] is None
    assert rows[2]["optimism"] is None
    assert [figure.name for figure in section.figures] == [
        "confirmed-0",
        "confirmed-differences-0",
    ]


def test_the_answer_quotes_what_was_confirmed_before_all_else() -> None:
    said = answer(confirmed_runs())
    assert said[0].startswith(
        "Confirmed with fresh seeds: app, T = 8, trial 12, 30 % of the weights: service error 15."
    )
    assert "over 4 fresh seeds, where the search found 12.6 %: optimism +2." in said[0]
    assert " against dense" in said[0]
    assert " against one_shot" in said[0]
    assert said[1].startswith("Confirmed with fresh seeds: app, T = 8, trial 13")
    assert said[2].startswith("What follows are figures of the search, which are optimistic")
    assert said[3].startswith("The smallest network that may be as good as dense")
    assert not any("app-study confirm" in sentence for sentence in said)


def test_without_a_confirmation_the_winner_is_called_optimistic_and_the_remedy_named() -> None:
    said = answer(runs_of(usual()))
    place = next(i for i, sentence in enumerate(said) if "optimistic" in sentence)
    assert said[place].endswith("To confirm it with fresh seeds: app-study confirm fake")
    assert place < next(i for i, sentence in enumerate(said) if sentence.startswith("18 trials"))
    section = ConfirmedReport().build(runs_of(usual()))
    assert section.sentences[0].startswith("No trial was confirmed with fresh seeds.")
    assert not section.tables


def test_a_confirmation_of_which_nothing_has_finished_is_reported() -> None:
    begun = confirming_runs()
    begun = replace(begun, trials=begun.trials.assign(outcome=Outcome.INTERRUPTED.value))
    runs = replace(runs_of(usual()), load_confirmation=lambda: begun)
    said = answer(runs)
    assert any(s.endswith("none of its trials has finished yet.") for s in said)
    section = ConfirmedReport().build(runs)
    assert "none of them has finished yet" in section.sentences[0]


def test_the_confirming_study_alone_is_answered_by_it_and_by_no_best_seed() -> None:
    said = answer(confirming_runs())
    assert said[0].startswith("Confirmed with fresh seeds: app, T = 8, trial 12")
    assert not any("smallest" in sentence or "lowest" in sentence for sentence in said)


def test_a_study_named_beside_the_one_that_confirms_it_is_read_once() -> None:
    search = confirmed_runs()
    confirmed = search.confirmation
    assert confirmed is not None
    both = combined([search, confirmed])
    assert [runs.study.name for runs in confirming(both)] == ["fake-confirm"]
    assert sum("Confirmed with fresh seeds: " in sentence for sentence in answer(both)) == 2


@pytest.mark.parametrize(
    "make",
    [
        confirmed_runs,
        confirming_runs,
        lambda: combined([confirmed_runs(), confirming_runs()]),
        lambda: confirming_runs((1,)),
        lambda: replace(confirming_runs(), trials=confirming_runs().trials.iloc[:0]),
    ],
    ids=["searched", "confirming", "both", "one seed", "nothing yet"],
)
def test_the_section_is_the_same_each_time_and_renders_in_every_format(
    make: Callable[[], Runs],
) -> None:
    runs = make()
    section = ConfirmedReport().build(runs)
    assert section == ConfirmedReport().build(runs)
    for fmt in (Format.MD, Format.CSV, Format.JSON):
        assert "nan" not in render(section, fmt).lower().split()
    assert all(draw(figure, LIGHT).data for figure in section.figures)
    assert all(section.sentences)
    assert answer(runs)


def test_the_checklist_counts_a_confirmation_as_seeds_apart() -> None:
    def apart(runs: Runs) -> tuple[object, ...]:
        (table,) = ChecklistReport().build(runs).tables
        return next(row for row in table.rows if str(row[0]).startswith("seeds of the search"))

    assert apart(confirmed_runs())[1:] == ("met", "searched with 0, tested with others")
    assert apart(runs_of(usual()))[1] == "open"
    assert apart(confirming_runs())[1] == "met"
