"""A study that confirms the trials of another, as reports see the two."""

from collections.abc import Sequence
from dataclasses import replace

from analysis.runs.study_runs import Runs
from study.tracking import names
from tests.helpers.fake_study import FakeTrial, runs_of, usual

SEARCHED = {12: ("app", 0.3), 13: ("app", 0.08)}  # trials of fake_study.usual, all at T = 8
ONE_SHOT_HARM = 0.05


def confirming_runs(seeds: Sequence[int] = (1, 2, 3, 4), *, flattery: float = 0.02) -> Runs:
    """Two trials of :func:`usual` with fresh seeds, dense, and one-shot at each density.

    Args:
        seeds: The fresh ones.
        flattery: How much lower than with seed 0 the search had found the service error.
    """
    arms = [(str(n), "", *arm) for n, arm in SEARCHED.items()]
    arms.append(("", "12,13", "dense", 1.0))
    arms += [("", str(n), "one_shot", density) for n, (_, density) in SEARCHED.items()]
    every = [(arm, seed) for arm in arms for seed in seeds]
    trials = [
        FakeTrial(i, method, 8, density, seed, harm=ONE_SHOT_HARM * (method == "one_shot"))
        for i, ((_, _, method, density), seed) in enumerate(every)
    ]
    runs = runs_of(trials, objectives=())
    params = {
        f"{names.PARAM_SEARCHED}{n}.{metric}": str(value - flattery)
        for n, (method, density) in SEARCHED.items()
        for metric, value in service_errors(FakeTrial(n, method, 8, density)).items()
    }
    return replace(
        runs,
        study=replace(
            runs.study,
            name="fake-confirm",
            confirms="fake",
            params={names.PARAM_CONFIRMED_METRIC: "service_error", **params},
        ),
        trials=runs.trials.assign(
            confirmed_trial=[arm[0] for arm, _ in every],
            baseline_of=[arm[1] for arm, _ in every],
        ),
    )


def service_errors(trial: FakeTrial) -> dict[str, float]:
    """Its service error on holdout and on test."""
    summary = trial.history().megabatches[-1].summary
    return {name: summary[name] for name in ("service_error", "test_service_error")}


def confirmed_runs() -> Runs:
    """The search of :func:`usual`, with the study that confirms it."""
    found = confirming_runs()
    return replace(runs_of(usual()), load_confirmation=lambda: found)
