"""A search as it went, and settings that mattered, on trials of which the answer is known."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.page.page import sections
from analysis.presentation.render import records
from analysis.presentation.report import REPORTS
from analysis.reports.discovery import load_reports
from analysis.reports.importance.domains import configurations_of, domains
from analysis.reports.search.progress import compare_groups, front, in_service, progress
from analysis.reports.search.proposals import moment_of, parted, proposals
from analysis.reports.search.savings import examples_saved
from analysis.reports.search.trust import rung
from analysis.runs.several_studies import combined
from analysis.runs.study_runs import Runs
from study.results import Outcome
from tests.helpers.fake_study import FakeTrial, runs_of, usual

load_reports()


def _search(sampler: str, harms: list[float], name: str = "fake", *, start: int = 10) -> Runs:
    """Trials of a sampler, of which the first ``start`` were drawn at random."""
    trials = [FakeTrial(n, "app", 4, 0.2 + 0.01 * n, harm=harm) for n, harm in enumerate(harms)]
    runs = runs_of(trials, objectives=("service_error",))
    marks = ["random" if n < start else sampler for n in range(len(harms))]
    return replace(
        runs,
        study=replace(runs.study, name=name, params={"search.sampler": sampler}),
        trials=runs.trials.assign(proposed_by=marks),
    )


def test_the_best_so_far_is_of_finished_trials_and_compute_of_all() -> None:
    trials = [
        FakeTrial(0, harm=0.05),
        FakeTrial(1, harm=-0.03, outcome=Outcome.EARLY_STOPPED, megabatches=2),
        FakeTrial(2, harm=0.0),
        FakeTrial(3, harm=0.02),
    ]
    rows = progress(runs_of(trials), "service_error")
    runs = runs_of(trials).trials["service_error"]
    assert rows["best"].tolist() == [runs[0], runs[0], runs[2], runs[2]]
    assert rows["examples"].tolist() == [10_000, 15_000, 25_000, 35_000]
    assert rows["value"].isna().tolist() == [False, True, False, False]


def test_of_a_metric_that_is_better_when_higher_the_best_is_the_highest() -> None:
    runs = runs_of([FakeTrial(0), FakeTrial(1)])
    runs = replace(runs, trials=runs.trials.assign(holdout_accuracy=[0.5, 0.9]))
    assert progress(runs, "holdout_accuracy")["best"].tolist() == [0.5, 0.9]


def test_two_groups_are_compared_by_how_often_one_is_better_and_by_its_p() -> None:
    low, high = pd.Series([0.1, 0.2, 0.3, 0.4, 0.5]), pd.Series([1.1, 1.2, 1.3, 1.4, 1.5])
    found = compare_groups(low, high, "service_error")
    assert found is not None
    # All 25 couples; the exact two-sided p of complete separation is 2 / C(10, 5).
    assert (found.better, found.p) == (1.0, pytest.approx(2 / 252))
    turned = compare_groups(low, high, "holdout_accuracy")
    assert turned is not None
    assert turned.better == 0.0
    assert compare_groups(low.head(4), high, "service_error") is None


def test_what_tpe_chose_is_compared_with_its_random_start() -> None:
    harms = [0.05 + 0.002 * n for n in range(10)] + [0.002 * n for n in range(10)]
    assert "drew at random: better: of two trials" in _said(_search("tpe", harms))
    assert "drew at random" not in _said(_search("random", harms))


def test_points_and_proposals_that_are_not_marked_are_not_called_random() -> None:
    harms = [0.05 + 0.002 * n for n in range(10)] + [0.002 * n for n in range(10)]
    runs = _search("tpe", harms)
    marks = ["point"] * 6 + ["random"] * 4 + ["tpe"] * 10
    named = replace(runs, trials=runs.trials.assign(proposed_by=marks))
    assert "Too few trials to compare what tpe proposed" in _said(named)
    old = replace(runs, trials=runs.trials.assign(proposed_by=""))
    assert "Which proposals of tpe were random is not recorded" in _said(old)


def test_proposals_are_compared_where_the_stopped_ones_came_to_and_not_by_who_survived() -> None:
    """Every later trial is as bad as the first ones, and only its best survive."""
    harms = [0.01 * n for n in range(10)] * 2
    trials = [
        FakeTrial(n, "app", 4, 0.3, harm=harm)
        if n < 10 or harm < 0.05
        else FakeTrial(n, "app", 4, 0.3, harm=harm, megabatches=2, outcome=Outcome.EARLY_STOPPED)
        for n, harm in enumerate(harms)
    ]
    runs = runs_of(trials, objectives=("service_error",))
    marks = ["random"] * 10 + ["tpe"] * 10
    params = {"search.sampler": "tpe", "search.stopping.first_rung": "0.5"}
    runs = replace(
        runs,
        study=replace(runs.study, params=params),
        trials=runs.trials.assign(proposed_by=marks),
    )
    assert moment_of((runs,)) == 0.5
    proposed = proposals(runs, "service_error", 0.5)
    assert proposed["value"].notna().all()
    found = compare_groups(*parted(proposed), "service_error")
    assert found is not None
    assert (found.num_a, found.num_b, found.better) == (10, 10, 0.5)
    said = _said(runs)
    assert "not separable: of two trials" in said
    assert "compared at 50.0 % of the stream" in said


def test_what_is_sure_to_break_a_limit_is_no_proposal_to_compare() -> None:
    runs = _search("tpe", [0.0] * 12)
    limited = replace(
        runs,
        study=replace(
            runs.study,
            params={**runs.study.params, "objective.constraints": "final_density <= 0.25"},
        ),
    )
    assert proposals(runs, "service_error", None)["number"].tolist() == list(range(12))
    # Densities are 0.2, 0.21 …; a limit is met to 1 %.
    assert proposals(limited, "service_error", None)["number"].tolist() == list(range(6))


def test_a_rung_is_trusted_as_far_as_its_order_is_that_of_the_end() -> None:
    runs = runs_of([FakeTrial(n, "app", 4, 0.3, harm=0.01 * n) for n in range(20)])
    same = rung(runs, "service_error", 0.5, 1.5)
    assert same is not None
    assert (same.num_trials, same.num_best, same.num_lost) == (20, 2, 0)
    assert same.correlation == pytest.approx(1)
    turned = runs.megabatches.assign(
        projected_service_error=-runs.megabatches["projected_service_error"]
    )
    against = rung(replace(runs, megabatches=turned), "service_error", 0.5, 1.5)
    assert against is not None
    assert (against.num_best, against.num_lost) == (2, 2)
    assert against.correlation == pytest.approx(-1)
    # At T = 2 three quarters are the end, which says nothing.
    short = runs_of([FakeTrial(n, "app", 2, 0.3, harm=0.01 * n) for n in range(20)])
    assert rung(short, "service_error", 0.75, 1.5) is None


def test_the_section_says_how_far_to_trust_stopping_and_what_flatters_it() -> None:
    trials = [FakeTrial(n, "app", 4, 0.3, harm=0.01 * n) for n in range(20)]
    section = REPORTS.get("search")().build(_with_rungs(runs_of(trials)))
    said = " ".join(section.sentences)
    assert "rank correlation of 1.00 with that at the end" in said
    assert "0 of the 2 among the best tenth would have been lost" in said
    assert "flatters" not in said
    tables = {table.title: records(table) for table in section.tables}
    assert [row["moment"] for row in tables["How far to trust stopping"]] == [0.5, 0.75]
    stopped = FakeTrial(20, "app", 4, 0.3, megabatches=2, outcome=Outcome.EARLY_STOPPED)
    assert "1 stopped trial would have ended is not known" in _said(
        _with_rungs(runs_of([*trials, stopped]))
    )


def _with_rungs(runs: Runs) -> Runs:
    params = {"search.stopping.first_rung": "0.5", "search.stopping.reduction": "1.5"}
    return replace(runs, study=replace(runs.study, params={**runs.study.params, **params}))


def _said(runs: Runs) -> str:
    return " ".join(REPORTS.get("search")().build(runs).sentences)


def test_two_studies_are_compared_if_one_of_them_drew_at_random() -> None:
    good = _search("tpe", [0.001 * n for n in range(12)], "clever")
    bad = _search("random", [0.1 + 0.001 * n for n in range(12)], "blind")
    both = combined([good, bad])
    section = REPORTS.get("search")().build(both)
    text = " ".join(section.sentences)
    assert "tpe (clever) against random (blind): better" in text
    names = [s.name for s in section.figures[0].panels[0].series]
    assert {"best so far, clever", "best so far, blind"} <= set(names)


def test_what_stopping_saved_is_what_stopped_trials_would_have_trained_on_besides() -> None:
    trials = [
        FakeTrial(0),
        FakeTrial(1, megabatches=1, outcome=Outcome.EARLY_STOPPED),
        FakeTrial(2, t=2, megabatches=1, outcome=Outcome.EARLY_STOPPED),
    ]
    runs = runs_of(trials)  # 2,500 of 10,000 examples, and 5,000
    assert examples_saved(runs.trials).saved == 12_500
    # A study by epochs: as many as the complete trials with the same T, and nobody knows of T = 2.
    by_epochs = runs.trials.assign(**{"training.total_samples": float("nan")})
    assert examples_saved(by_epochs).saved == 7_500
    said = " ".join(REPORTS.get("search")().build(runs).sentences)
    assert "saved 41.7 % of the examples" in said


def test_nothing_is_said_to_be_saved_where_nobody_knows_what_a_trial_takes() -> None:
    runs = runs_of([FakeTrial(0, megabatches=1, outcome=Outcome.EARLY_STOPPED)])
    trials = runs.trials.drop(columns="training.total_samples")
    assert examples_saved(trials).saved == 0
    said = " ".join(REPORTS.get("search")().build(replace(runs, trials=trials)).sentences)
    assert "saved" not in said


def test_models_in_service_are_those_of_the_last_megabatch_that_had_arrived() -> None:
    runs = runs_of([FakeTrial(0, "app", 2, 0.2), FakeTrial(1, "app", 8, 0.2)])
    early = in_service(runs, "holdout_error_rate", 0.25)
    assert early["number"].tolist() == [1]
    assert early["error"].tolist() == [FakeTrial(1, "app", 8, 0.2).errors[1]]
    middle = in_service(runs, "holdout_error_rate", 0.5).set_index("number")["error"]
    assert middle[0] == FakeTrial(0, "app", 2, 0.2).errors[0]
    assert middle[1] == FakeTrial(1, "app", 8, 0.2).errors[3]
    assert in_service(runs, "holdout_error_rate", 1.0)["weights"].tolist() == [200.0, 200.0]


def test_no_model_on_a_front_through_time_is_beaten_by_another() -> None:
    models = in_service(runs_of(usual()), "holdout_error_rate", 1.0)
    best = front(models, ["error", "weights"])
    assert len(best) > 1
    for _, one in models.iterrows():
        beaten = (one["error"] < best["error"]) & (one["weights"] < best["weights"])
        assert not beaten.any()


def test_how_trials_ended_adds_up() -> None:
    table = REPORTS.get("search")().build(runs_of(usual())).tables[0]
    rows = {row["outcome"]: row for row in records(table)}
    assert {name: row["trials"] for name, row in rows.items()} == {
        "complete": 15,
        "early stopped": 1,
        "error": 1,
        "interrupted": 1,
    }
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)
    assert rows["early stopped"]["stream_fraction"] == 3 / 8


def test_a_setting_is_a_choice_or_a_range_as_the_record_says() -> None:
    runs = runs_of(usual())
    found = {
        "search.space.stream.num_megabatches": "one of 2, 4, 8",
        "search.space.pruning.final_density": "0.01 to 1.0 (log)",
    }
    searched = replace(runs, study=replace(runs.study, params=found))
    found = domains(searched, runs.trials)
    assert set(found) == {"stream.num_megabatches", "pruning.final_density"}
    assert found["stream.num_megabatches"].is_choice
    assert found["pruning.final_density"].is_log
    # Without a search: all that differs, few numbers being choices.
    grid = domains(runs, runs.trials)
    assert set(grid) == {"pruning.schedule", *found}
    assert grid["stream.num_megabatches"].is_choice
    assert not grid["pruning.final_density"].is_choice


def test_a_setting_that_a_trial_has_not_is_left_out_of_its_configuration() -> None:
    runs = runs_of([FakeTrial(0), FakeTrial(1, density=0.3)])
    trials = runs.trials.assign(**{"pruning.final_density": [None, 0.3]})
    found = configurations_of(trials, domains(runs, runs.trials))
    assert found == [{}, {"pruning.final_density": 0.3}] or found == [
        {},
        {"pruning.final_density": "0.3"},
    ]


def test_importance_says_when_there_are_too_few_trials() -> None:
    section = REPORTS.get("importance")().build(runs_of(usual((4,))))
    assert "5 finished trials with a service error: too few" in section.sentences[0]
    assert not section.tables


def test_importance_of_a_search_names_the_settings_and_draws_a_slice_of_each() -> None:
    section = REPORTS.get("importance")().build(runs_of(usual()))
    rows = records(section.tables[0])
    names = {row["parameter"] for row in rows}
    assert names == {"pruning.schedule", "pruning.final_density", "stream.num_megabatches"}
    assert section.figures[0].name == "importance"
    assert {f.title for f in section.figures[1:]} == names


def test_several_studies_are_one_whose_trials_are_numbered_through() -> None:
    one, two = runs_of(usual((4,))), runs_of([FakeTrial(0), FakeTrial(1, density=0.3)])
    two = replace(two, study=replace(two.study, name="other", objectives=()), notes=("odd",))
    both = combined([one, two])
    assert len(both.trials) == len(one.trials) + 2
    assert both.trials["number"].is_unique
    assert both.trials["trial_key"].is_unique
    assert set(both.megabatches["trial_key"]) <= set(both.trials["trial_key"])
    assert len(both.layers) == len(one.layers) + len(two.layers)
    assert both.study.name == "fake + other"
    assert both.study.objectives == ()
    assert "other: odd" in both.notes
    assert both.trials["service_error"].tolist()[-2:] == two.trials["service_error"].tolist()
    for name, section in sections(both).items():
        assert section.title, name


@pytest.mark.parametrize("other", [[], [FakeTrial(0, outcome=None, megabatches=0)]])
def test_a_study_without_results_can_be_one_of_several(other: list[FakeTrial]) -> None:
    empty = runs_of(other, running=True)
    empty = replace(empty, study=replace(empty.study, name="empty"))
    both = combined([runs_of(usual((4,))), empty])
    assert both.study.running
    assert len(both.trials) == 8 + len(other)
    for section in sections(both).values():
        assert section.title


def test_the_checklist_ticks_what_a_study_has_and_names_what_it_lacks() -> None:
    rows = {
        r["item"]: r for r in records(REPORTS.get("checklist")().build(runs_of(usual())).tables[0])
    }
    met = {item for item, row in rows.items() if row["met"] == "met"}
    assert "nothing selected on the test split" in met
    assert any("dense baseline" in item for item in met)
    assert not any("3 pairs" in item for item in met)
    assert (
        "1: digits with small_conv" in rows["at least 3 pairs of data set and network"]["reason"]
    )
    models = [
        FakeTrial(n, method, 4, density, seed, architecture=model)
        for n, (model, method, density, seed) in enumerate(
            (model, method, density, seed)
            for model in ("a", "b", "c")
            for seed in range(3)
            for method, density in (
                ("dense", 1.0),
                *(("app", d) for d in (0.5, 0.3, 0.2, 0.1, 0.05)),
            )
        )
    ]
    made = REPORTS.get("checklist")().build(runs_of(models, objectives=())).tables[0]
    met = {row["item"] for row in records(made) if row["met"] == "met"}
    assert "at least 3 pairs of data set and network" in met
    assert "at least 5 densities on each" in met
    assert "at least 3 seeds of every configuration that is compared" in met
    assert "seeds of the search and of the final test apart" in met
    assert "both compression and theoretical speed-up" not in met  # these trials recorded none


def test_seeds_are_apart_if_a_study_without_search_used_others() -> None:
    search = runs_of(usual((4,)))
    item = "seeds of the search and of the final test apart"
    for seed, expected in ((0, "open"), (7, "met")):
        again = runs_of([FakeTrial(0, seed=seed)], objectives=())
        again = replace(again, study=replace(again.study, name="again"))
        table = REPORTS.get("checklist")().build(combined([search, again])).tables[0]
        rows = {row["item"]: row["met"] for row in records(table)}
        assert rows[item] == expected


def test_of_trials_that_were_all_named_no_best_so_far_is_drawn() -> None:
    runs = runs_of(usual(), objectives=())
    names = [figure.name for figure in REPORTS.get("search")().build(runs).figures]
    assert names == ["moments-weights"]  # these trials recorded no FLOPs
    searched = [f.name for f in REPORTS.get("search")().build(runs_of(usual())).figures]
    assert searched == ["search-trials", "search-compute", "moments-weights"]


def test_importance_of_very_many_trials_says_how_many_of_them_it_judges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("analysis.statistics.importance.MAX_JUDGED", 12)
    monkeypatch.setattr("analysis.reports.importance.report.MAX_JUDGED", 12)
    runs = runs_of(usual())
    assert len(runs.complete) > 12
    said = " ".join(REPORTS.get("importance")().build(runs).sentences)
    assert f"judged by 12 of the {len(runs.complete)} finished trials, drawn at random" in said
