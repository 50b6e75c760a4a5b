"""Configurations with several seeds against dense: judged where that was planned."""

from dataclasses import replace

from analysis.comparison.matches import by_configuration, matches
from analysis.comparison.matches import smallest_as_good as smallest_match
from analysis.comparison.measure import measure_of
from analysis.comparison.planned_verdicts import planned_sequences
from analysis.reports.pareto.report import ParetoReport
from analysis.runs.study_runs import Runs
from study.tracking import names
from tests.helpers.fake_study import FakeTrial, runs_of


def study(num_seeds: int, *, objectives: tuple[str, ...] = (), margin: float = 0.03) -> Runs:
    """Dense, and APP at three densities of which the smallest is four points worse."""
    trials = [
        FakeTrial(0, name, 4, density, seed, harm=0.003 * (seed % 3) if density < 1 else 0.0)
        for seed in range(num_seeds)
        for name, density in (("dense", 1.0), ("app", 0.5), ("app", 0.3), ("app", 0.08))
    ]
    runs = runs_of([replace(t, number=n) for n, t in enumerate(trials)], objectives=objectives)
    params = {**runs.study.params, names.PARAM_MARGIN: str(margin)}
    return replace(runs, study=replace(runs.study, params=params))


def test_the_smallest_is_the_last_that_is_as_good_from_the_largest_downwards() -> None:
    runs = study(8)
    (sequence,) = planned_sequences(runs, measure_of(runs))
    assert [one.service.density for one in sequence.tested] == ["50 %", "30 %", "8 %"]
    assert [one.is_as_good for one in sequence.tested] == [True, True, False]
    assert sequence.smallest is sequence.tested[1]
    (said, *_) = ParetoReport().build(runs).sentences
    assert said.startswith(
        "The smallest configuration that is as good as dense at a margin of 3 points, "
        "small_conv, T = 4: app, 30 % of the weights, service error +"
    )
    assert said.endswith("in 8 pairs of one seed.")


def test_too_few_seeds_show_nothing_and_how_many_would_is_said() -> None:
    (said, *_) = ParetoReport().build(study(5)).sentences
    assert said.startswith("No configuration is shown to be as good as dense")
    assert said.endswith("5 pairs cannot decide that: 6 would.")


def test_what_a_search_chose_is_not_judged_by_what_chose_it() -> None:
    runs = study(8, objectives=("service_error", "final_density"))
    assert planned_sequences(runs, measure_of(runs)) == []
    (said, *_) = ParetoReport().build(runs).sentences
    assert said.startswith("The smallest network that may be as good as dense")


def test_one_seed_of_five_that_passes_makes_no_candidate() -> None:
    trials = [FakeTrial(s, "dense", 4, 1.0, s) for s in range(5)]
    trials += [FakeTrial(5 + s, "app", 4, 0.5, s, harm=0.0 if s == 2 else 0.1) for s in range(5)]
    runs = runs_of(trials)
    measure = measure_of(runs)
    found = matches(runs, measure)
    alone, together = smallest_match(found, measure), by_configuration(found, measure)
    assert alone is not None
    assert alone.trial["seed"] == 2
    assert [match.num_seeds for match in together] == [5]
    assert smallest_match(together, measure) is None
    (said, *_) = ParetoReport().build(runs).sentences
    assert said.startswith("No pruned network looks as good as dense")


def test_what_dense_was_trained_with_is_named_where_it_differs() -> None:
    runs = runs_of([FakeTrial(0, "dense", 4, 1.0), FakeTrial(1, "app", 4, 0.3)])
    rates = {"training.lr": [0.1, 0.05]}
    apart = replace(runs, trials=runs.trials.assign(**rates))
    (said, *_) = ParetoReport().build(apart).sentences
    assert "trained apart (training.lr 0.05 against 0.1)" in said
    table = ParetoReport().build(apart).tables[0]
    assert table.columns[-1].name == "trained_apart"
    assert "training.lr 0.05 against 0.1" in {row[-1] for row in table.rows}
    assert "trained apart" not in ParetoReport().build(runs).sentences[0]
