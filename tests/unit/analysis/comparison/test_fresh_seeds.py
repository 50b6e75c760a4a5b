"""Two sides of a confirmed comparison: what they differ in, and whose settings they have."""

from dataclasses import replace

from analysis.comparison.fresh_seeds import confirmation
from analysis.reports.confirmed.sentences import section_sentences
from analysis.runs.study_runs import Runs
from study.tracking import names
from tests.helpers.fake_confirmation import confirming_runs


def tuned(settings_of: str, dense_lr: float) -> Runs:
    """Trials at a learning rate of 0.05, dense at another."""
    runs = confirming_runs()
    is_dense = runs.trials["method"] == "dense"
    lr = is_dense.map({True: dense_lr, False: 0.05})
    return replace(
        runs,
        study=replace(runs.study, params={**runs.study.params, names.PARAM_TUNED: "training.lr"}),
        trials=runs.trials.assign(
            **{"training.lr": lr, "settings_of": is_dense.map({True: settings_of, False: ""})}
        ),
    )


def test_a_comparison_names_every_setting_of_training_in_which_two_sides_differ() -> None:
    differing = {c.b: c.differing for c in confirmation(tuned("3", 0.2)).comparisons}
    assert differing == {"dense": ("training.lr 0.05 against 0.2",), "one_shot": ()}
    assert not any(c.differing for c in confirmation(tuned("3", 0.05)).comparisons)


def test_it_is_said_which_baselines_had_settings_of_their_own() -> None:
    text = " ".join(section_sentences(confirmation(tuned("3", 0.2))))
    assert "in which the search had found them best: dense, T = 8 (trial 3)." in text
    assert "Not tuned by the search, and run with the settings of what they" in text
    text = " ".join(section_sentences(confirmation(tuned("", 0.05))))
    assert "had tuned training.lr for these trials and not for dense, T = 8" in text


def test_how_to_prune_was_tuned_for_no_dense_baseline_and_a_granularity_is_told() -> None:
    runs = tuned("", 0.05)
    params = {**runs.study.params, names.PARAM_TUNED: "pruning.granularity"}
    one_shot = runs.trials["method"] == "one_shot"
    trials = runs.trials.assign(
        **{"pruning.granularity": one_shot.map({True: "weight", False: "channel"})}
    )
    found = confirmation(replace(runs, study=replace(runs.study, params=params), trials=trials))
    differing = {c.b: c.differing for c in found.comparisons}
    assert differing == {
        "dense": (),
        "one_shot": ("pruning.granularity channel against weight",),
    }
    text = " ".join(section_sentences(found))
    assert "had tuned pruning.granularity for these trials and not for one_shot, T = 8" in text


def test_nothing_is_said_of_settings_where_the_search_tuned_none() -> None:
    text = " ".join(section_sentences(confirmation(confirming_runs())))
    assert "settings" not in text
