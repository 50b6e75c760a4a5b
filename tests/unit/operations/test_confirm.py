"""Which trials are run again, beside which baselines, with which seeds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.cli import main
from study.config.problems import ConfigError
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.errors import StudyError
from study.operations.confirm import begun, confirming_study, judged_metric
from study.operations.confirm_arms import baselines
from study.operations.confirm_choice import ConfirmOptions, seeds_of_confirmations
from study.operations.opened_study import OpenedStudy
from study.results import Outcome, TrialHistory
from study.store.folder import StudyFolder, StudyStore
from study.store.record import Record, RecordedTrial
from study.tracking import names
from study.trial.study_description import study_info
from tests.helpers.small_studies import FIXED, SPACE, history, raw_search

CHOICES = {**SPACE, "pruning.schedule": ["app", "one_shot", "geometric", "dense"]}
APP = {"pruning.schedule": "app", "pruning.final_density": 0.5, "stream.num_megabatches": 2}
ONE = {"objective": {"metrics": ["service_error"]}}

Result = tuple[dict[str, Any], float, float]  # what was chosen, its error, its density


def app(density: float, **others: Any) -> dict[str, Any]:
    return {**APP, "pruning.final_density": density, **others}


def dense(num_megabatches: int = 2) -> dict[str, Any]:
    return {"pruning.schedule": "dense", "stream.num_megabatches": num_megabatches}


def ended(error: float, density: float) -> TrialHistory:
    made = history(2, error=error)
    last = replace(
        made.megabatches[-1],
        summary={
            "service_error": error,
            "final_density": density,
            "test_service_error": error + 0.01,
        },
    )
    return TrialHistory(made.epochs, (*made.megabatches[:-1], last))


def opened(results: Sequence[Result], path: Path = Path("none"), **changes: Any) -> OpenedStudy:
    """A search with these complete trials, in this order."""
    study = parse_study(raw_search(**changes) | {"search": {"space": CHOICES}})
    record = Record()
    for number, (chosen, error, density) in enumerate(results):
        config = study.compose(chosen)
        record.trials[str(number)] = RecordedTrial(
            str(number), number, "search", chosen, config.to_dict(), ended(error, density),
            Outcome.COMPLETE,
        )  # fmt: skip
    return OpenedStudy(study, StudyFolder(path), record)


def numbers(study: StudyConfig) -> list[int]:
    assert study.confirms is not None
    return [arm.trial for arm in study.confirms.arms if arm.trial is not None]


def trials_of(study: StudyConfig) -> list[TrialConfig]:
    return list(study.corners())


def test_the_best_by_the_single_objective_are_chosen_in_their_order() -> None:
    searched = opened([(app(0.5), 0.3, 0.5), (app(0.4), 0.1, 0.4), (app(0.3), 0.2, 0.3)], **ONE)
    assert numbers(confirming_study(searched, ConfirmOptions(top=2), "c")) == [1, 2]
    assert numbers(confirming_study(searched, ConfirmOptions(), "c")) == [1, 2, 0]


def test_trials_that_did_not_end_or_break_a_constraint_are_not_chosen() -> None:
    objective = {"metrics": ["service_error"], "constraints": ["final_density <= 0.4"]}
    results = [(app(0.5), 0.1, 0.5), (app(0.4), 0.2, 0.4), (app(0.3), 0.3, 0.3)]
    searched = opened(results, objective=objective)
    searched.record.trials["1"].outcome = Outcome.EARLY_STOPPED
    study = confirming_study(searched, ConfirmOptions(), "c")
    assert numbers(study) == [2]
    assert study.objective.constraints == ()


def test_a_configuration_with_another_seed_is_no_second_one() -> None:
    searched = opened([(app(0.5), 0.1, 0.5), (app(0.3), 0.3, 0.3)], **ONE)
    again = {**searched.record.trials["0"].config, "seed": 5}
    searched.record.trials["2"] = replace(
        searched.record.trials["0"], key="2", number=2, config=again, history=ended(0.05, 0.5)
    )
    assert numbers(confirming_study(searched, ConfirmOptions(), "c")) == [2, 1]


def test_dense_is_a_baseline_and_takes_no_place_among_the_best() -> None:
    searched = opened([(dense(), 0.05, 1.0), (app(0.5), 0.1, 0.5), (app(0.3), 0.2, 0.3)], **ONE)
    assert numbers(confirming_study(searched, ConfirmOptions(top=1), "c")) == [1]
    alone = opened([(dense(2), 0.05, 1.0), (dense(4), 0.1, 1.0)], **ONE)
    assert numbers(confirming_study(alone, ConfirmOptions(), "c")) == [0, 1]


def test_of_several_objectives_trials_are_spread_along_the_front_from_the_best_of_the_first() -> (
    None
):
    front = [(app(d / 100), 0.5 - d / 200, d / 100) for d in (20, 30, 40, 50, 60)]
    beaten = (app(0.7), 0.4, 0.7)
    searched = opened([*front, beaten])
    assert numbers(confirming_study(searched, ConfirmOptions(top=1), "c")) == [4]
    assert numbers(confirming_study(searched, ConfirmOptions(top=3), "c")) == [4, 2, 0]
    assert numbers(confirming_study(searched, ConfirmOptions(top=5), "c")) == [4, 3, 2, 1, 0]
    assert numbers(confirming_study(searched, ConfirmOptions(top=6), "c")) == [4, 3, 2, 1, 0]


def test_each_arm_has_the_same_seeds_the_smallest_that_the_search_had_not() -> None:
    searched = opened([(app(0.5), 0.1, 0.5), (app(0.3), 0.2, 0.3)], **ONE)
    for number, used in enumerate((1, 3)):
        trial = searched.record.trials[str(number)]
        trial.config = {**trial.config, "seed": used}
    stopped = replace(
        searched.record.trials["1"], key="9", number=9, outcome=Outcome.EARLY_STOPPED,
        config={**searched.record.trials["1"].config, "seed": 4},
    )  # fmt: skip
    searched.record.trials["9"] = stopped
    prior = {**searched.record.trials["1"].config, "seed": 2}
    searched.record.priors.append(replace(stopped, config=prior))
    study = confirming_study(searched, ConfirmOptions(top=2, num_seeds=3), "c")
    seeds: dict[str, list[int]] = {}
    for trial in trials_of(study):
        arm = replace(trial, seed=0).key()
        seeds.setdefault(arm, []).append(trial.seed)
    assert len(seeds) == 5  # two, dense of both, one-shot at each density
    assert list(seeds.values()) == [[0, 5, 6]] * 5


def test_with_varying_data_each_seed_has_its_own_split_the_same_for_every_arm() -> None:
    searched = opened([(app(0.5), 0.1, 0.5)], **ONE)
    study = confirming_study(searched, ConfirmOptions(num_seeds=2, vary_data=True), "c")
    pairs = [(trial.seed, trial.data.seed) for trial in trials_of(study)]
    assert pairs == [(1, 1), (2, 2)] * 3
    assert study.confirms is not None
    assert [arm.trial for arm in study.confirms.arms] == [0, 0, None, None, None, None]


def test_what_is_run_again_is_the_chosen_configuration_to_the_last_value_but_the_seed() -> None:
    searched = opened([(app(0.5), 0.1, 0.5), (app(0.3), 0.2, 0.3)], **ONE)
    study = confirming_study(searched, ConfirmOptions(top=2, num_seeds=2), "c")
    wanted = [searched.trial(searched.record.trials[key]) for key in ("0", "1")]
    for arm, config in zip((trials_of(study)[:2], trials_of(study)[2:4]), wanted, strict=True):
        assert arm == [replace(config, seed=1), replace(config, seed=2)]
    roles = [(arm.trial, arm.baseline_of) for arm in study.arms().values()]
    assert roles == [
        *[(0, ())] * 2, *[(1, ())] * 2, *[(None, (0, 1))] * 2, *[(None, (0,))] * 2,
        *[(None, (1,))] * 2,
    ]  # fmt: skip


def test_baselines_are_dense_and_one_shot_of_equal_density_with_all_else_equal() -> None:
    searched = opened([(app(0.5), 0.1, 0.4997)], **ONE)
    trial = searched.record.trials["0"]
    config = searched.trial(trial)
    as_dense, as_one_shot = baselines(trial, config)
    assert as_dense.pruning.schedule == "dense"
    assert as_dense.pruning.final_density is None
    assert as_one_shot.pruning == config.pruning.model_copy(update={"schedule": "one_shot"})
    assert replace(as_one_shot, pruning=config.pruning) == config
    assert as_dense.training == config.training


def test_a_schedule_without_a_target_is_matched_by_the_density_that_it_ends_on() -> None:
    geometric = {
        "pruning.schedule": "geometric", "pruning.rate": 0.5, "stream.num_megabatches": 2,
    }  # fmt: skip
    searched = opened([(geometric, 0.1, 0.2497)], **ONE)
    trial = searched.record.trials["0"]
    _, as_one_shot = baselines(trial, searched.trial(trial))
    assert as_one_shot.pruning.final_density == 0.25
    assert not hasattr(as_one_shot.pruning, "rate")


def test_what_prunes_as_the_reference_does_is_matched_by_what_it_was_measured_at() -> None:
    fixed = FIXED | {"pruning.reference_compat": True}
    searched = opened([(app(0.5), 0.1, 0.11)], fixed=fixed, **ONE)
    trial = searched.record.trials["0"]
    as_dense, as_one_shot = baselines(trial, searched.trial(trial))
    assert as_one_shot.pruning.final_density == 0.11
    assert not as_one_shot.pruning.reference_compat
    assert not as_dense.pruning.reference_compat


def test_a_baseline_that_is_chosen_itself_is_one_arm() -> None:
    one_shot = app(0.5) | {"pruning.schedule": "one_shot"}
    results = [(app(0.5), 0.1, 0.5), (one_shot, 0.2, 0.5), (dense(), 0.15, 1.0)]
    study = confirming_study(opened(results, **ONE), ConfirmOptions(trials=("0", "1", "2")), "c")
    assert study.confirms is not None
    roles = [(arm.trial, arm.baseline_of) for arm in study.confirms.arms]
    assert roles == [(0, ()), (1, (0,)), (2, (0, 1))]


def test_a_dense_network_has_no_baseline_and_one_that_keeps_all_no_one_shot() -> None:
    searched = opened([(dense(), 0.1, 1.0), (app(1.0), 0.1, 1.0)], **ONE)
    of_dense, of_whole = (
        baselines(trial, searched.trial(trial)) for trial in searched.record.trials.values()
    )
    assert of_dense == []
    assert [config.pruning.schedule for config in of_whole] == ["dense"]


def test_what_the_search_had_found_is_kept_in_the_study_and_told_to_trackers() -> None:
    searched = opened([(app(0.5), 0.1, 0.4997)], **ONE)
    study = confirming_study(searched, ConfirmOptions(num_seeds=2), "c")
    again = parse_study(study.to_dict())
    assert again == study
    assert again.confirms is not None
    assert again.confirms.metric == "service_error"
    found = {"service_error": 0.1, "final_density": 0.4997, "test_service_error": 0.11}
    assert again.confirms.arms[0].searched == pytest.approx(found)
    info = study_info(again, num_trials=6)
    assert info.confirms == "small"
    assert info.params[f"{names.PARAM_SEARCHED}0.service_error"] == 0.1


def test_it_is_tracked_and_trained_as_the_search_was_but_for_what_is_overridden() -> None:
    tracking = {"uri": "sqlite:///there.db", "experiment": "mine"}
    searched = opened([(app(0.5), 0.1, 0.5)], tracking=tracking, **ONE)
    study = confirming_study(searched, ConfirmOptions(), "c")
    assert study.tracking == searched.study.tracking
    assert study.resources == searched.study.resources
    elsewhere = ["tracking.uri=sqlite:///here.db"]
    study = confirming_study(searched, ConfirmOptions(), "c", overrides=elsewhere)
    assert (study.tracking.uri, study.tracking.experiment) == ("sqlite:///here.db", "mine")


def test_trials_are_compared_by_an_error_where_density_is_an_objective_too() -> None:
    objective = {"metrics": ["final_density", "service_error"]}
    study = confirming_study(
        opened([(app(0.5), 0.1, 0.5)], objective=objective), ConfirmOptions(), "c"
    )
    assert study.confirms is not None
    assert study.confirms.metric == "service_error"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ConfirmOptions(trials=("7",)), "no trial '7'; name one by its number, from 0 to 1"),
        (ConfirmOptions(trials=("1",)), "trial 1 ended as early_stopped"),
    ],
)
def test_what_cannot_be_confirmed_is_refused_with_the_reason(
    options: ConfirmOptions, message: str
) -> None:
    searched = opened([(app(0.5), 0.1, 0.5), (app(0.3), 0.2, 0.3)], **ONE)
    searched.record.trials["1"].outcome = Outcome.EARLY_STOPPED
    with pytest.raises(StudyError, match=message):
        confirming_study(searched, options, "c")


@pytest.mark.parametrize(("constraints", "measured"), [((), "none"), (("speedup >= 1",), "final")])
def test_what_a_constraint_has_named_is_measured_of_the_confirmed_though_it_limits_them_no_more(
    constraints: tuple[str, ...], measured: str
) -> None:
    objective = {"metrics": ["service_error"], "constraints": constraints}
    searched = opened([(app(0.5), 0.1, 0.5)], objective=objective)
    for trial in searched.record.trials.values():
        last = trial.history.megabatches[-1]
        last = replace(last, metrics={**last.metrics, "speedup": 1.5})
        trial.history = TrialHistory((), (*trial.history.megabatches[:-1], last))
    study = confirming_study(searched, ConfirmOptions(), "c")
    assert study.measured_latency == measured
    assert not study.objective.constraints


def test_judged_is_what_would_not_be_answered_by_pruning_all_away() -> None:
    assert (
        judged_metric(("final_density", "speedup", "file_bytes", "final_error")) == "final_error"
    )
    assert judged_metric(("speedup",)) == "speedup"


def test_a_trial_that_went_on_with_data_of_later_is_not_confirmed() -> None:
    searched = opened([(app(0.5), 0.1, 0.5)], **ONE)
    update = replace(searched.record.trials["0"], key="u", number=1)
    searched.record.updates["u"] = update
    assert numbers(confirming_study(searched, ConfirmOptions(), "c")) == [0]
    with pytest.raises(StudyError, match="trial 1 is an update of another"):
        confirming_study(searched, ConfirmOptions(trials=("1",)), "c")


def test_a_study_without_a_complete_trial_and_a_confirming_one_are_not_confirmed() -> None:
    with pytest.raises(StudyError, match="'small' has no complete trial with a value of service"):
        confirming_study(opened([], **ONE), ConfirmOptions(), "c")
    searched = opened([(app(0.5), 0.1, 0.5)], **ONE)
    study = confirming_study(searched, ConfirmOptions(), "c")
    with pytest.raises(StudyError, match="'c' confirms 'small' itself"):
        confirming_study(replace(searched, study=study), ConfirmOptions(), "d")


def test_the_same_confirmation_is_gone_on_with_and_another_is_refused(tmp_path: Path) -> None:
    searched = opened([(app(0.5), 0.1, 0.5), (app(0.3), 0.2, 0.3)], **ONE)
    study = confirming_study(searched, ConfirmOptions(top=1, num_seeds=2), "c")
    folder = StudyFolder(tmp_path / "c")
    assert begun(study, folder) is None
    folder.write_config(study)
    folder.record_path.write_bytes(b"")
    assert begun(study, folder) == study
    for options in (ConfirmOptions(top=2, num_seeds=2), ConfirmOptions(top=1, num_seeds=3)):
        with pytest.raises(StudyError, match=r"with other settings \(trials 0; seeds 1, 2\)"):
            begun(confirming_study(searched, options, "c"), folder)
    folder.write_config(searched.study)
    with pytest.raises(StudyError, match="which confirms no 'small'; give the new one another"):
        begun(study, folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small", "--top", "1", "--trial", "0"), "--top and --trial both choose what"),
        (("small", "--until", "decided", "--seeds", "8"), "--until decided and --seeds both say"),
        (("small", "--until", "decided", "--vary-data"), "--vary-data leaves no verdict"),
        (("smal",), "no study 'smal' in "),
        (("small", "--trial", "5"), "no trial '5'"),
    ],
)
def test_what_cannot_be_confirmed_ends_with_a_line_and_exit_code_2(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    searched = opened([(app(0.5), 0.1, 0.5), (app(0.3), 0.2, 0.3)], tmp_path / "small", **ONE)
    searched.folder.write_config(searched.study)
    with Record.open(searched.folder.record_path) as record:
        for trial in searched.record.trials.values():
            record.add_trial(trial.key, source="search", chosen={}, config=trial.config)
            record.add_history(trial.key, trial.history)
            record.add_outcome(trial.key, Outcome.COMPLETE)
    monkeypatch.setattr("sys.argv", ["app-study", "confirm", *arguments, "--store", str(tmp_path)])
    with pytest.raises(SystemExit) as ended_with:
        main()
    assert ended_with.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said


def test_a_study_file_that_confirms_says_of_each_group_what_it_is() -> None:
    raw = confirming_study(opened([(app(0.5), 0.1, 0.5)], **ONE), ConfirmOptions(), "c").to_dict()
    raw["confirms"] = {**raw["confirms"], "metric": "error", "arms": raw["confirms"]["arms"][:1]}
    with pytest.raises(ConfigError) as refused:
        parse_study(raw)
    told = {problem.path: problem.message for problem in refused.value.problems}
    assert told["confirms.arms"] == "names 1 arms for 3 groups of axes; give one for each group"
    assert "no metric is called 'error'" in told["confirms.metric"]


def test_each_confirmation_of_a_study_has_seeds_that_no_earlier_one_had(tmp_path: Path) -> None:
    searched = opened([(app(0.5), 0.3, 0.5)])
    store, taken = StudyStore(tmp_path), set()
    for name in ("first", "second", "third"):
        used = seeds_of_confirmations(store, searched.study.name, excluding=name, notice=print)
        options = ConfirmOptions(num_seeds=2, vary_data=name != "first")
        study = confirming_study(searched, options, name, used=used)
        folder = store.folder(name)
        folder.write_config(study)
        folder.record_path.touch()
        seeds = {trial.seed for trial in trials_of(study)}
        assert not seeds & taken
        taken |= seeds
    again = seeds_of_confirmations(store, searched.study.name, excluding="third", notice=print)
    assert {s["seed"] for s in again if "seed" in s} < taken
    assert seeds_of_confirmations(store, "another", excluding="", notice=print) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is empty"),
        ("[1, 2]", "must be a mapping"),
        ("confirms: 3", "is no study file"),
        ("axes: [", "not YAML"),
    ],
)
def test_a_neighbour_that_cannot_be_read_is_passed_over_and_named(
    content: str, why: str, tmp_path: Path
) -> None:
    searched, store = opened([(app(0.5), 0.3, 0.5)]), StudyStore(tmp_path)
    first = confirming_study(searched, ConfirmOptions(num_seeds=2), "first")
    for name in ("damaged", "first", "first (copy)"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.jsonl").touch()
    store.folder("first").write_config(first)
    store.folder("damaged").config_path.write_text(content, encoding="utf-8")
    said: list[str] = []
    used = seeds_of_confirmations(store, "small", excluding="second", notice=said.append)
    assert {seeds["seed"] for seeds in used} == {trial.seed for trial in trials_of(first)}
    (notice,) = said
    assert "study damaged cannot be read" in notice
    assert "some of its seeds may be used again" in notice
    assert why in notice
    seeds_of_confirmations(store, "small", excluding="damaged", notice=said.append)
    assert len(said) == 1
