"""A study that trains after all arrivals, and trials that wait: Ray, MLflow and the report."""

from pathlib import Path

import pytest

from analysis.cli import app
from analysis.reports.waiting.replay import configurations, replay
from analysis.runs.load import load
from study.results import Outcome
from study.tracking import names
from tests.helpers.launched import LaunchedStudy

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1200)]

RAW = {
    "name": "waiting",
    "fixed": {
        "data.dataset": "synthetic",
        "data.num_examples": 400,
        "data.num_test_examples": 40,
        "data.image_size": 8,
        "model.architecture": "mlp",
        "model.hidden_sizes": [12],
        "stream.num_megabatches": 5,
        "pruning.schedule": "app",
        "pruning.final_density": 0.3,
        "pruning.criterion": "snip",
        "saliency.batch_size": 16,
        "training.start": "scratch",
        "training.mask": "restart",
        "training.samples_per_model": 100,
        "training.batch_size": 16,
    },
    "axes": {"training.at": ["all", [0, 3], [2, 4]], "seed": [0, 1]},
    "tracking": {"log_models": "every_megabatch"},
    "resources": {"max_concurrent": 2},
}


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> LaunchedStudy:
    made = LaunchedStudy(tmp_path_factory.mktemp("waiting"), RAW)
    code, said = made.call("launch", "study.yaml")
    assert code == 0, said
    return made


def uri(launched: LaunchedStudy) -> str:
    return f"sqlite:///{launched.folder / 'mlflow.db'}"


def test_a_policy_replayed_from_mlflow_is_the_trial_that_waited(launched: LaunchedStudy) -> None:
    runs = load("waiting", tracking_uri=uri(launched))
    (found,), reasons = configurations(runs)
    assert [reason.partition(":")[0] for reason in reasons] == [
        "training.at is 0,3", "training.at is 2,4",
    ]  # fmt: skip
    assert len(found.streams) == 2
    real = {
        (str(trial.config["training"]["at"]), trial.config["seed"]): trial
        for trial in launched.record.trials.values()
    }
    for stream, seed in zip(found.streams, found.trials["seed"], strict=True):
        for at in ((0, 3), (2, 4)):
            trial = real[str(list(at)), int(seed)]
            assert trial.outcome is Outcome.COMPLETE
            replayed, last = replay(stream, at), trial.final_values
            assert replayed.service_error == last["service_error"]
            assert replayed.final_error == last["final_error"]
            assert replayed.test_service_error == last["test_service_error"]
            assert replayed.final_density == last["final_density"]
            assert replayed.samples_seen == last["samples_seen"]
            assert replayed.train_flops == last["train_flops"]


def test_models_and_metrics_of_arrivals_that_wait_are_logged_once(launched: LaunchedStudy) -> None:
    run = next(r for r in launched.runs() if r.data.params["training.at"] == "2,4")
    assert launched.logged_steps(run, "holdout_error_rate") == [0, 1, 2, 3, 4]
    samples = launched.logged_steps(run, f"{names.SAMPLES_PREFIX}holdout_error_rate")
    assert len(samples) == len(set(samples)) == 2


def test_what_is_logged_is_what_the_record_has(launched: LaunchedStudy) -> None:
    code, said = launched.call("check", "waiting")
    assert code == 0, said


def test_the_report_is_printed(
    launched: LaunchedStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    app(["waiting", "waiting", "--tracking-uri", uri(launched)], standalone_mode=False)
    said = capsys.readouterr().out
    assert "When to retrain?" in said
    assert "policies were replayed without training" in said
    page = (launched.folder / "reports" / "waiting" / "index.html").read_text(encoding="utf-8")
    assert "When to retrain?" in page


def test_a_study_that_cannot_be_replayed_says_why(tmp_path: Path) -> None:
    raw = RAW | {
        "name": "shared",
        "fixed": {
            k: v for k, v in RAW["fixed"].items() if k != "training.samples_per_model"  # type: ignore[attr-defined]  # a dict
        }
        | {"training.total_samples": 500},
        "axes": {"seed": [0]},
    }  # fmt: skip
    made = LaunchedStudy(tmp_path, raw)
    code, said = made.call("launch", "study.yaml")
    assert code == 0, said
    found, reasons = configurations(load("shared", tracking_uri=uri(made)))
    assert not found
    assert reasons[0].startswith("training.total_samples is 500")
