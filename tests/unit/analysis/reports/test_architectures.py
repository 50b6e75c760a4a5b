"""Whether what holds on one architecture holds on another."""

from analysis.comparison.architectures import configurations
from analysis.presentation import render
from analysis.reports.architectures.report import ArchitecturesReport
from analysis.runs.study_runs import Runs
from study.results import Outcome
from tests.helpers.fake_study import FakeTrial, runs_of

METHODS = (("dense", 1.0), ("one_shot", 0.1), ("app", 0.1))


def study(*models: str, seeds: int = 3, harm: float = 0.1) -> Runs:
    """One-shot is harmed on the first architecture, APP on the others."""
    trials: list[FakeTrial] = []
    for model in models:
        bad = "one_shot" if model == models[0] else "app"
        for t in (2, 4, 8):
            for method, density in METHODS:
                for seed in range(seeds):
                    more = harm + 0.005 * seed if harm and method == bad else 0.0
                    trials.append(
                        FakeTrial(len(trials), method, t, density, seed, harm=more,
                                  architecture=model)
                    )  # fmt: skip
    return runs_of(trials, objectives=())


def test_a_configuration_is_one_whatever_the_network_and_its_size() -> None:
    runs = study("a", "b")
    runs.trials.loc[runs.trials["architecture"] == "b", "model.num_prunable"] = 500
    found = configurations(runs, "service_error")
    assert len(found) == 9
    assert all(set(c.means) == {"a", "b"} for c in found)


def test_a_method_that_wins_here_and_loses_there_is_reported() -> None:
    section = ArchitecturesReport().build(study("a", "b", "c"))
    (said,) = [text for text in section.sentences if "at equal density" in text]
    assert said.startswith(
        "one_shot against app at equal density, by service error: worse on a (+"
    )
    assert "better on b (−" in said
    assert "better on c (−" in said
    table = next(t for t in section.tables if t.title == "Methods on each architecture")
    verdicts = [row["verdict"] for row in render.records(table) if row["a"] == "one_shot"]
    assert verdicts[:3] == ["worse", "better", "better"]


def test_architectures_with_too_few_pairs_are_said_to_have() -> None:
    said = " ".join(ArchitecturesReport().build(study("a", "b", seeds=1)).sentences)
    assert "3 pairs cannot decide 6 comparisons: 8 would." in said


def test_nothing_is_chosen_on_the_test_split() -> None:
    section = ArchitecturesReport(metric="test_service_error").build(study("a", "b"))
    said = " ".join(section.sentences)
    assert "so nothing is chosen on it" in said
    assert "One pruned choice for all" not in said
    assert "The best on each architecture" not in [table.title for table in section.tables]


def test_architectures_that_agree_have_w_1_and_one_choice_for_all() -> None:
    runs = study("a", "b", harm=0.0)
    said = " ".join(ArchitecturesReport().build(runs).sentences)
    assert "The order of 9 configurations by service error on 2 architectures" in said
    assert "Kendall's W = 1.00 (no interval: all agree" in said
    assert "it is the best pruned one on every architecture" in said


def test_what_did_not_finish_everywhere_is_not_ranked_and_reported() -> None:
    trials = [
        FakeTrial(0, "app", architecture="a"),
        FakeTrial(1, "app", architecture="b"),
        FakeTrial(2, "one_shot", architecture="a"),
        FakeTrial(3, "one_shot", architecture="b", outcome=Outcome.ERROR, megabatches=0),
    ]
    section = ArchitecturesReport().build(runs_of(trials))
    said = " ".join(section.sentences)
    assert "1 configuration did not finish on all of 2 architectures and is not ranked" in said
    assert "1 trial did not finish" in said
    best = render.records(section.tables[0])
    assert [row["configurations"] for row in best] == [2, 1]


def test_one_architecture_is_reported() -> None:
    said = ArchitecturesReport().build(runs_of([FakeTrial(0)])).sentences
    assert said == ("All finished trials are of one architecture, small_conv.",)
    assert ArchitecturesReport().build(runs_of([])).sentences == ("No trial has finished yet.",)
