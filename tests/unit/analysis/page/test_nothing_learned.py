"""A study whose networks guess is answered by that, and by what to try."""

import dataclasses

import pytest

from analysis.page.answer import answer
from analysis.presentation.report import REPORTS
from analysis.reports.discovery import load_reports
from analysis.runs.study_runs import Runs
from tests.helpers.fake_study import FakeTrial, runs_of

load_reports()


def _study(*errors: float, **params: object) -> Runs:
    runs = runs_of([FakeTrial(i, "app" if i else "dense") for i in range(len(errors))])
    trials = runs.trials.assign(
        **{"data.num_classes": 10, "training.lr": 0.3, **params},
        service_error=errors,
        final_error=errors,
    )
    return dataclasses.replace(runs, trials=trials)


def test_errors_at_chance_are_no_result() -> None:
    said = answer(_study(0.9, 0.895))
    assert said[0] == (
        "Nothing was learned: no finished network is better than a guess, which is wrong in "
        "90.0 %. The lowest final error is 89.5 % [85.3, 92.6] (app, T = 4, trial 1), so no "
        "network is compared with another."
    )
    assert said[1] == (
        "To try: another training.lr (tried: 0.3), more training, by training.total_samples "
        "(tried: 10000) and more examples of each class, by data.shots_per_class or larger data."
    )
    text = " ".join(said)
    assert "lowest service error" not in text
    assert "as good as dense" not in text
    assert "2 trials: 2 finished." in said


def test_the_front_of_such_a_study_says_so_too() -> None:
    section = REPORTS.get("pareto")().build(_study(0.9, 0.895))
    assert section.sentences[0].startswith("Nothing was learned")
    assert "as good as dense" not in " ".join(section.sentences)


@pytest.mark.parametrize("error", [0.8, 0.3])
def test_one_network_that_beats_a_guess_is_enough(error: float) -> None:
    assert "Nothing was learned" not in " ".join(answer(_study(0.9, 0.9, error)))


def test_the_best_of_many_guesses_is_still_a_guess() -> None:
    # One in 40 of single guesses of 360 examples errs less than 86.5 %.
    assert "Nothing was learned" in answer(_study(*[0.9] * 80, 0.86))[0]
    assert "Nothing was learned" not in " ".join(answer(_study(0.86)))


def test_what_was_learned_and_lost_again_was_learned() -> None:
    runs = _study(0.9, 0.9)
    trials = runs.trials.assign(service_error=0.6)
    assert "Nothing was learned" not in " ".join(answer(dataclasses.replace(runs, trials=trials)))


def test_without_the_number_of_classes_nobody_knows_what_a_guess_is() -> None:
    runs = _study(0.9, 0.895)
    trials = runs.trials.drop(columns="data.num_classes")
    assert "Nothing was learned" not in " ".join(answer(dataclasses.replace(runs, trials=trials)))
