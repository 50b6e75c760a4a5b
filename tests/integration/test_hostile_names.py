"""Names from the command line and from other people's MLflow runs, however they are spelt."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from analysis import cli
from analysis.errors import ReportError
from analysis.runs.load import load
from study.results import Outcome
from study.tracking import names
from study.tracking.artifacts import run_files
from study.tracking.mlflow.tracker import MlflowTracker
from study.tracking.tracker import TrackingError
from tests.helpers.fake_study import FakeTrial, study_info
from tests.helpers.fuzzing import NAMES, Desk, desk, valid_studies, write_yaml

STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
SCREEN = 24 * 99


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        yield made


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_command_takes_a_name_out_of_its_folder_or_shows_it_raw(name: str, place: Desk) -> None:
    place.write(write_yaml(valid_studies()[0]))
    before = place.files()
    calls = [
        ("resume", f"--store={place.folder / 'store'}", "--", name),
        ("launch", "study.yaml", "--set", f"name={name}"),
        ("validate", "study.yaml", "--set", f"name={name}"),
        ("validate", "study.yaml", "--set", f"{name}=1"),
        ("validate", "study.yaml", "--set", f"plugins=['{name}']"),
        ("validate", "study.yaml", "--set", f"model.architecture='{name}'"),
        ("launch", "--", f"{name}.yaml"),
        ("plugins", "--", name),
    ]
    for call in calls:
        said = place.app_study(*call)
        assert (said.code, said.started) == (2, False), call
        assert not STEERING.search(said.err + said.out), call
        assert len(said.err) < SCREEN, call
        assert "Traceback" not in said.err
    assert place.files() == before


def test_code_that_is_not_ours_is_told_with_its_file_before_anything_starts(place: Desk) -> None:
    (place.folder / "lab_of_test.py").write_text("one = 1\n", encoding="utf-8")
    place.write(write_yaml(valid_studies()[0] | {"plugins": ["lab_of_test"]}))
    said = place.app_study("launch", "study.yaml")
    assert said.started
    assert said.out.startswith(f"plug-in lab_of_test: {place.folder / 'lab_of_test.py'}\n")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store in which others wrote studies of every name, each with two trials of its own."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    tracker = MlflowTracker(uri)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_files, "trial_pictures", lambda *_: {})  # takes longer than all else
        for study in ("a", "A", "a.b", "a_b", "a-2"):
            tracker.start_study(study_info(study, ()))
            for trial in (FakeTrial(0), FakeTrial(1)):
                tracker.start_trial(trial.info())
                tracker.finish_trial(trial.key, trial.history(), Outcome.COMPLETE, "")
            tracker.finish_study({}, Outcome.COMPLETE)
    client = MlflowClient(uri)
    experiment = client.create_experiment("of others")
    for name in NAMES:
        for kind, count in ((names.KIND_STUDY, 1), (names.KIND_TRIAL, 2)):
            for number in range(count):
                tags = {
                    names.TAG_KIND: kind,
                    names.TAG_STUDY: name[:5000],
                    names.TAG_TRIAL_KEY: f"{name[:20]}{number}",
                    names.TAG_TRIAL_NUMBER: str(number),
                }
                run = client.create_run(experiment, tags=tags, run_name=name[:200])
                client.set_terminated(run.info.run_id)
    return uri


def test_a_report_finds_exactly_the_trials_of_its_study(uri: str) -> None:
    for name in ("a", "A", "a.b", "a_b", "a-2"):
        assert load(name, tracking_uri=uri).trials["trial_key"].tolist() == ["key000", "key001"]
    for name in NAMES:
        runs = load(name[:5000], tracking_uri=uri)
        assert runs.trials["trial_key"].tolist() == [f"{name[:20]}{n}" for n in range(2)]


@pytest.mark.parametrize("name", ["x' or 'a'='a", "a' --", "a%", "_", 'a" or "1"="1', "a`"])
def test_a_name_is_no_part_of_the_filter(name: str, uri: str) -> None:
    with pytest.raises(ReportError, match="there is no study"):
        load(name, tracking_uri=uri)
    try:
        assert not MlflowTracker(uri).has_study(name)
    except ValueError as refused:
        assert "cannot name a study" in str(refused)  # noqa: PT017  # either will do


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_page_is_written_below_its_folder_and_told_in_plain_text(
    name: str,
    uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "")
    for command in ("html", "runs"):
        call = ["app-report", command, "--tracking-uri", uri, "--", name[:5000]]
        monkeypatch.setattr(sys, "argv", call)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        assert not STEERING.search(said.out + said.err)
    (page,) = tmp_path.rglob("*.html")
    assert page.parent.parent == tmp_path / "reports"
    assert re.fullmatch(r"[\w.-]{1,80}", page.parent.name, re.ASCII)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_an_experiment_of_any_name_is_found_again_or_refused(name: str, uri: str) -> None:
    try:
        MlflowTracker(uri, experiment=name).start_study(study_info("in-odd", ()))
    except TrackingError as refused:
        assert "MLflow" in str(refused)  # noqa: PT017  # either will do
        return
    again = MlflowTracker(uri, experiment=name)
    assert again.has_study("in-odd")
    assert not MlflowTracker(uri).has_study("in-odd")
