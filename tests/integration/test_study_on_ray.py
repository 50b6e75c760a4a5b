"""One small study on a real Ray, with MLflow and the report: what is seen of it afterwards."""

from pathlib import Path

import pandas as pd
import pytest

from study.results import Outcome
from study.tracking import names
from tests.helpers.launched import LaunchedStudy, numbers, undisturbed

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1200)]

NUM_POINTS, NUM_PROPOSALS = 5, 4
RAW = {
    "name": "small",
    "fixed": {
        "data.dataset": "synthetic",
        "data.num_examples": 200,
        "data.num_test_examples": 40,
        "data.image_size": 8,
        "data.num_channels": 1,
        "pruning.criterion": "snip",
        "saliency.batch_size": 16,
        "training.total_samples": 1200,
        "training.batch_size": 16,
    },
    "search": {
        "space": {
            "model.architecture": ["mlp", "convnet"],
            "training.lr": [0.05, 1e9],
            "pruning.schedule": ["app", "one_shot", "cubic"],
            "pruning.final_density": {"low": 0.1, "high": 1.0, "log": True},
            "stream.num_megabatches": [2, 4],
        },
        "points": [
            {
                "model.architecture": "mlp",
                "training.lr": 0.05,
                "pruning.schedule": "dense",
                "stream.num_megabatches": [2, 4],
            },
            {  # fails, on the actor that trains what comes next
                "model.architecture": "mlp",
                "training.lr": 1e9,
                "pruning.schedule": "app",
                "pruning.final_density": 0.3,
                "stream.num_megabatches": 4,
            },
            {  # by channels, between trials that prune single weights
                "model.architecture": ["convnet", "mlp"],
                "training.lr": 0.05,
                "pruning.schedule": "app",
                "pruning.granularity": "channel",
                "pruning.final_density": 0.3,
                "stream.num_megabatches": 4,
            },
        ],
        "seed": 0,
    },
    "objective": {"metrics": ["service_error", "final_density"]},
    "budget": {"trials": NUM_PROPOSALS},
    "resources": {"max_concurrent": 1},  # every trial on the same actor
}


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> tuple[LaunchedStudy, str]:
    study = LaunchedStudy(tmp_path_factory.mktemp("study"), RAW)
    code, said = study.call_in_a_new_interpreter("launch", "study.yaml")
    assert code == 0, said
    return study, said


def test_points_and_proposals_all_end_and_the_study_is_finished(
    launched: tuple[LaunchedStudy, str],
) -> None:
    record = launched[0].record
    assert record.is_finished
    assert not record.unfinished()
    sources = [trial.source for trial in record.trials.values()]
    assert sources == ["point"] * NUM_POINTS + ["search"] * (len(sources) - NUM_POINTS)
    assert len(sources) + len(record.repeats) >= NUM_POINTS + NUM_PROPOSALS


def test_a_trial_that_diverges_fails_with_its_reason_and_the_study_goes_on(
    launched: tuple[LaunchedStudy, str],
) -> None:
    study, said = launched
    trials = list(study.record.trials.values())
    assert [trial.outcome for trial in trials[:NUM_POINTS]] == [
        Outcome.COMPLETE, Outcome.COMPLETE, Outcome.ERROR, Outcome.COMPLETE, Outcome.COMPLETE,
    ]  # fmt: skip
    assert "diverged" in trials[2].reason
    assert trials[2].reason in said


def test_every_trial_is_equal_to_the_bit_to_one_trained_without_ray(
    launched: tuple[LaunchedStudy, str],
) -> None:
    complete = [
        trial for trial in launched[0].record.trials.values() if trial.outcome is Outcome.COMPLETE
    ]
    assert len(complete) >= NUM_POINTS - 1
    for trial in complete:
        assert numbers(trial.history) == undisturbed(trial)


def test_mlflow_has_one_run_a_trial_with_status_outcome_and_the_same_keys(
    launched: tuple[LaunchedStudy, str],
) -> None:
    study, _ = launched
    runs, trials = study.runs(), list(study.record.trials.values())
    (parent,) = study.runs(names.KIND_STUDY)
    assert parent.info.status == "FINISHED"
    assert [run.data.tags[names.TAG_TRIAL_KEY] for run in runs] == [t.key for t in trials]
    status = {Outcome.COMPLETE: "FINISHED", Outcome.ERROR: "FAILED"}
    for run, trial in zip(runs, trials, strict=True):
        assert trial.outcome is not None
        assert run.info.status == status[trial.outcome]
        assert run.data.tags[names.TAG_OUTCOME] == trial.outcome
        assert run.data.tags[names.TAG_METHOD] == run.data.params["pruning.schedule"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        steps = study.logged_steps(run, "holdout_error_rate")
        assert steps == list(range(len(trial.history.megabatches)))
    keys = {
        (frozenset(run.data.params), frozenset(m for m in run.data.metrics if m.startswith("hp/")))
        for run in runs
    }
    assert len(keys) == 1


def test_mlflow_has_the_resolved_config_and_the_history_as_parquet(
    launched: tuple[LaunchedStudy, str], tmp_path: Path
) -> None:
    study, _ = launched
    client = study.client
    run, trial = study.runs()[0], next(iter(study.record.trials.values()))
    config = client.download_artifacts(run.info.run_id, names.CONFIG_ARTIFACT, str(tmp_path))
    assert "architecture: mlp" in Path(config).read_text(encoding="utf-8")
    table = client.download_artifacts(run.info.run_id, names.MEGABATCHES_ARTIFACT, str(tmp_path))
    errors = pd.read_parquet(table)["holdout_error_rate"]
    assert errors.tolist() == [m.metrics["holdout_error_rate"] for m in trial.history.megabatches]


def test_a_new_store_is_filled_from_the_record_and_what_is_there_is_left_alone(
    launched: tuple[LaunchedStudy, str],
) -> None:
    study, _ = launched
    before = [run.to_dictionary() for run in study.runs()]
    code, said = study.call_here("sync", "small", "--tracking-uri", "sqlite:///mlflow.db")
    assert code == 0, said
    code, said = study.call("sync", "small", "--tracking-uri", "sqlite:///new.db")
    assert code == 0, said
    assert f"has all of the study small: {len(before)} trials" in said
    # The failed one is opened again and closed again.
    assert [run.data.metrics for run in study.runs()] == [r["data"]["metrics"] for r in before]
    copied = LaunchedStudy.runs_at(study.folder / "new.db")
    for copy, run in zip(copied, study.runs(), strict=True):
        assert copy.data.metrics == run.data.metrics
        assert copy.data.params == run.data.params
        assert copy.info.status == run.info.status
        # The times of the record, not of the sending, as far as a trial has reported.
        assert copy.info.start_time == run.info.start_time
        if run.info.status == "FINISHED":
            assert copy.info.end_time == run.info.end_time


def test_the_report_page_is_there_and_the_answer_is_said(
    launched: tuple[LaunchedStudy, str],
) -> None:
    study, said = launched
    page = (study.folder / "reports" / "small" / "index.html").read_text(encoding="utf-8")
    assert "small" in page
    assert "• " in said
    assert "of the weights" in said


def test_ray_optuna_and_mlflow_are_not_heard_and_no_line_is_wrapped(
    launched: tuple[LaunchedStudy, str],
) -> None:
    study, said = launched
    num_trials = len(study.record.trials)
    lines = said.splitlines()
    assert [line.split("]")[0] for line in lines[:num_trials]] == [
        f"[{number}/{NUM_POINTS + NUM_PROPOSALS}" for number in range(1, num_trials + 1)
    ]
    assert lines[num_trials].startswith(("The study small is finished", "the search ends"))
    assert "Warning" not in said
    assert "Traceback" not in said


def test_a_finished_study_is_resumed_to_nothing_and_launched_anew_under_another_name(
    launched: tuple[LaunchedStudy, str],
) -> None:
    study, _ = launched
    before = [run.info.run_id for run in study.runs()]
    code, said = study.call("resume", "small")
    assert code == 0, said
    assert "The study small is finished" in said
    assert [run.info.run_id for run in study.runs()] == before
    code, said = study.call("launch", "study.yaml", "--set", "budget.trials=0")
    assert code == 0, said
    assert said.startswith("The study small is finished; this one is called small-2.")
    assert len(study.runs(names.KIND_STUDY)) == 2
    assert len(study.runs()) == len(before) + NUM_POINTS
