"""Models in MLflow: once each, whole or not at all, and in order with what they belong to."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from study.results import Outcome
from study.tracking.background import BackgroundTracker
from study.tracking.facts import ModelInfo
from study.tracking.mlflow import logged_models
from study.tracking.mlflow.registry import MlflowRegistry
from study.tracking.mlflow.tracker import MlflowTracker
from study.tracking.tracker import TrackingError
from tests.helpers.trackers import RecordingTracker
from tests.helpers.tracking_records import history, study_info, trial_info


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def model(tmp_path: Path) -> ModelInfo:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weights")
    return ModelInfo(
        name="trial 0 megabatch 1",
        folder=tmp_path / "model",
        step=1,
        image_shape=(1, 8, 8),
        num_classes=10,
        loader="study.export.pyfunc",
        loaded_file="",
        metric_names=("holdout_error_rate",),
        params={"seed": 0},
    )


def logged(uri: str, study: str) -> list[str]:
    client = MlflowClient(uri)
    (experiment,) = client.search_experiments(filter_string="name = 'app-study'")
    found = client.search_logged_models(
        [experiment.experiment_id], filter_string=f"tags.study = '{study}'"
    )
    return [str(made.status) for made in found]


def test_a_model_is_left_once_however_often_it_is_said(uri: str, model: ModelInfo) -> None:
    for _ in range(2):
        tracker = MlflowTracker(uri)
        tracker.start_study(study_info("often"))
        tracker.start_trial(trial_info("k"))
        tracker.log_history("k", history(2))
        tracker.log_model("k", model)
        tracker.log_model("k", model)
    tracker.finish_trial("k", history(2), Outcome.COMPLETE, "")
    tracker.log_model("k", model)
    assert logged(uri, "often") == ["READY"]


def test_a_half_written_model_is_taken_away_and_written_again(
    uri: str, model: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = MlflowTracker(uri)
    tracker.start_study(study_info("half"))
    tracker.start_trial(trial_info("k"))
    tracker.log_history("k", history(2))

    def fails(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(logged_models, "_write_mlmodel", fails)
        with pytest.raises(KeyboardInterrupt):
            tracker.log_model("k", model)
    assert logged(uri, "half") == ["PENDING"]
    tracker.log_model("k", model)
    assert logged(uri, "half") == ["READY"]


def test_versions_are_counted_the_alias_moves_and_no_alias_is_no_version(
    uri: str, model: ModelInfo
) -> None:
    tracker = MlflowTracker(uri)
    tracker.start_study(study_info("registered"))
    tracker.start_trial(trial_info("k"))
    registry = MlflowRegistry(uri, "app-study")
    assert registry.with_alias("digits", "champion") is None
    tags = {"study": "registered", "trial_key": "k"}
    for version in ("1", "2"):
        made = registry.register(
            model, run_tags=tags, name="digits", tags={"say": version}, alias="champion"
        )
        assert made.version == version
        assert registry.with_alias("digits", "champion") == made
    assert registry.with_alias("digits", "challenger") is None
    with pytest.raises(TrackingError, match="has no run of this trial"):
        registry.register(model, run_tags={"trial_key": "none"}, name="digits", tags={})


def test_in_the_background_a_model_comes_after_its_metrics_and_before_its_trials_end(
    model: ModelInfo,
) -> None:
    inner = RecordingTracker()
    tracker = BackgroundTracker(inner, notice=lambda _: None)
    tracker.start_study(study_info("background"))
    tracker.start_trial(trial_info("k"))
    tracker.log_history("k", history(2))
    tracker.log_model("k", model)
    tracker.finish_trial("k", history(2), Outcome.COMPLETE, "")
    tracker.finish_study({"k": history(2)}, Outcome.COMPLETE)
    said = [method for method, _ in inner.calls]
    assert said.count("log_model") == 1
    place = said.index("log_model")
    assert "log_history" in said[:place]
    assert said.index("finish_trial") > place
