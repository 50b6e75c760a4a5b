"""Reports on studies that the real tracker wrote to a real MLflow database."""

import ast
import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

import analysis
import study
from analysis import cli
from analysis.errors import ReportError
from analysis.page.answer import answer
from analysis.page.page import sections, write_report
from analysis.presentation.report import REPORTS, ReportSection
from analysis.runs.load import is_known, load
from analysis.runs.mlflow_reader import Store
from study.results import Outcome, TrialHistory
from study.tracking import names
from study.tracking.artifacts import run_files
from study.tracking.mlflow.tracker import MlflowTracker
from study.tracking.run_store import StoredRun
from tests.helpers.fake_study import SERVICE_AND_SIZE, FakeTrial, runs_of, study_info, usual
from tests.helpers.page_reader import Page, agree, files_of


@pytest.fixture(autouse=True, scope="module")
def _undrawn() -> Iterator[None]:
    """Reports look at no picture of a trial, and to draw one takes longer than all else of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_files, "trial_pictures", lambda *_: {})
        yield


def _write(tracker: MlflowTracker, name: str, trials: Sequence[FakeTrial], *, end: bool) -> None:
    tracker.start_study(study_info(name, SERVICE_AND_SIZE))
    for trial in trials:
        tracker.start_trial(trial.info())
        if trial.outcome is None:
            tracker.log_history(trial.key, trial.history())
        else:
            tracker.finish_trial(trial.key, trial.history(), trial.outcome, trial.reason)
    if end:
        tracker.finish_study({t.key: t.history() for t in trials}, Outcome.COMPLETE)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database with every kind of study, and a stranger's runs."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    tracker = MlflowTracker(uri, experiment="app-study")
    _write(tracker, "usual", usual((4, 8)), end=True)
    _write(tracker, "empty", [], end=True)
    _write(tracker, "one", [FakeTrial(0)], end=True)
    failed = [FakeTrial(i, outcome=Outcome.ERROR, megabatches=0, reason="boom") for i in range(2)]
    _write(tracker, "failed", failed, end=True)
    now = [
        FakeTrial(0, "dense", 4, 1.0),
        FakeTrial(1, "app", 4, 0.3),
        FakeTrial(2, outcome=None, megabatches=2),
        FakeTrial(3, outcome=None, megabatches=0),
    ]
    _write(tracker, "running", now, end=False)
    _resume(tracker)
    client = MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "app-study"]
    client.create_run(experiment.experiment_id, run_name="a stranger's")
    return uri


@pytest.fixture(scope="module")
def html(uri: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the usual study."""
    written = write_report("usual", tracking_uri=uri, out=tmp_path_factory.mktemp("page"))
    return written.page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(uri: str) -> Mapping[str, ReportSection]:
    """Its sections."""
    return sections(load("usual", tracking_uri=uri))


def _resume(tracker: MlflowTracker) -> None:
    """A study that was stopped with a trial at 2 of 4, and goes on: the trial is at 3 now."""
    stopped = FakeTrial(0, outcome=Outcome.INTERRUPTED, megabatches=2)
    tracker.start_study(study_info("resumed", SERVICE_AND_SIZE))
    tracker.start_trial(stopped.info())
    tracker.finish_trial(stopped.key, stopped.history(), Outcome.INTERRUPTED, "")
    tracker.finish_study({stopped.key: stopped.history()}, Outcome.INTERRUPTED)
    again = FakeTrial(0, outcome=None, megabatches=3)
    tracker.start_study(study_info("resumed", SERVICE_AND_SIZE))
    tracker.start_trial(again.info())
    tracker.log_history(again.key, again.history())


def test_what_is_read_from_mlflow_is_what_the_trials_reported(uri: str) -> None:
    expected = runs_of(usual((4, 8)))
    runs = load("usual", tracking_uri=uri)
    assert runs.notes == ("1 run(s) in the same experiment belong to no study and are left out.",)
    assert runs.study.objectives == SERVICE_AND_SIZE
    assert runs.study.outcome == "complete"
    assert runs.study.description == "A study that nobody ran."
    assert runs.trials["started_at"].is_monotonic_increasing
    assert abs(runs.trials["started_at"].iloc[0] - time.time()) < 3600
    for name in expected.trials.columns.drop(["run_id", "started_at"]):
        pd.testing.assert_series_equal(runs.trials[name], expected.trials[name], check_dtype=False)
    shared = ["trial_key", "megabatch_index", "holdout_error_rate", "density", "stream_fraction"]
    pd.testing.assert_frame_equal(
        runs.megabatches[shared], expected.megabatches[shared], check_dtype=False
    )
    assert len(runs.layers) == 2 * len(runs.megabatches)
    assert set(runs.layers["layer"]) == {"conv1.weight", "conv2.weight"}
    assert answer(runs) == answer(replace(expected, study=runs.study))


def test_a_notebook_loads_a_study_by_its_name(uri: str) -> None:
    assert len(analysis.load("one", tracking_uri=uri).trials) == 1


def test_a_running_study_is_read_from_files_and_metrics_and_says_so(uri: str) -> None:
    runs = load("running", tracking_uri=uri)
    assert runs.study.running
    assert runs.trials["outcome"].tolist() == ["complete", "complete", "running", "running"]
    steps = runs.megabatches.groupby("trial_key").size()
    assert steps.to_dict() == {"key000": 4, "key001": 4, "key002": 2}
    live = runs.megabatches[runs.megabatches["trial_key"] == "key002"]
    assert live["holdout_error_rate"].tolist() == FakeTrial(2).errors[:2]
    assert live["stream_fraction"].tolist() == [0.25, 0.5]
    assert any("read from MLflow's metrics" in note for note in runs.notes)


def test_a_resumed_trial_is_read_as_far_as_it_has_come_since(uri: str) -> None:
    runs = load("resumed", tracking_uri=uri)
    assert runs.trials["outcome"].tolist() == ["running"]
    assert runs.megabatches["megabatch_index"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["usual", "empty", "one", "failed", "running", "resumed"])
def test_the_page_of_any_study_is_whole_and_tells_the_answer(
    uri: str, name: str, tmp_path: Path
) -> None:
    written = write_report(name, tracking_uri=uri, out=tmp_path / "new" / "folder")
    assert written.page == tmp_path / "new" / "folder" / "index.html"
    html = written.page.read_text(encoding="utf-8")
    runs = load(name, tracking_uri=uri)
    fitting = [report for report in REPORTS if REPORTS.get(report).is_for(runs)]
    assert "waiting" not in fitting
    for section in ("answer", *fitting, "notes", "reading"):
        assert f'<section id="{section}"' in html
    assert written.sentences[0] in html
    assert [path.name for path in written.page.parent.iterdir()] == ["index.html"]


def test_the_study_that_confirms_another_is_found_by_its_tag_whatever_it_is_called(
    uri: str,
) -> None:
    tracker = MlflowTracker(uri, experiment="confirmed")
    _write(tracker, "searched", usual((8,)), end=True)
    for name, end in (("first", True), ("second", True), ("third", False)):
        info = replace(
            study_info(name, ()),
            confirms="searched",
            params={
                names.PARAM_CONFIRMED_METRIC: "service_error",
                f"{names.PARAM_SEARCHED}2.service_error": 0.125,
            },
        )
        tracker.start_study(info)
        trials = [FakeTrial(i, "app", 8, 0.3, seed) for i, seed in enumerate((1, 2))]
        for trial in trials:
            found = trial.info()
            tags = {**found.tags, names.TAG_CONFIRMED_TRIAL: "2"}
            tracker.start_trial(replace(found, tags=tags))
            tracker.finish_trial(trial.key, trial.history(), Outcome.COMPLETE, "")
        if end:
            tracker.finish_study({t.key: t.history() for t in trials}, Outcome.COMPLETE)
    runs = load("searched", tracking_uri=uri)
    assert runs.confirmation is not None
    assert runs.confirmation.study.name == "second"  # the newest that has come to its end
    assert load("first", tracking_uri=uri).confirmation is not runs.confirmation
    assert load("usual", tracking_uri=uri).confirmation is None
    said = answer(runs)
    assert said[0].startswith("Confirmed with fresh seeds: app, T = 8, trial 2")
    assert "where the search found 12.5 %" in said[0]
    assert is_known("second", tracking_uri=uri)
    assert not is_known("fourth", tracking_uri=uri)


def _parent(store: Store, study: str) -> StoredRun:
    (found,) = [run for run in store.studies() if run.tags[names.TAG_STUDY] == study]
    return found


def _by_id(runs: Sequence[StoredRun]) -> list[StoredRun]:
    return sorted(runs, key=lambda run: run.run_id)


@pytest.mark.parametrize("study", ["usual", "empty", "one", "failed"])
def test_the_table_of_a_closed_study_says_of_its_trials_what_mlflow_says(
    uri: str, study: str
) -> None:
    store = Store(uri)
    closed = store.closed_trials(_parent(store, study))
    assert closed is not None
    assert _by_id(closed) == _by_id(store.trials(study))


@pytest.mark.parametrize("study", ["running", "resumed"])
def test_the_table_of_a_study_that_goes_on_is_not_read(uri: str, study: str) -> None:
    store = Store(uri)
    assert store.closed_trials(_parent(store, study)) is None
    MlflowClient(uri).set_terminated(_parent(store, study).run_id)  # by somebody else
    assert store.closed_trials(_parent(store, study)) is None
    MlflowClient(uri).update_run(_parent(store, study).run_id, status="RUNNING")


def test_a_trial_that_somebody_has_deleted_is_in_no_report_until_it_is_restored(uri: str) -> None:
    tracker = MlflowTracker(uri, experiment="deleted")
    trials = [FakeTrial(number) for number in range(3)]
    _write(tracker, "deleted", trials, end=True)
    (run,) = [run for run in Store(uri).trials("deleted") if run.tags["trial_key"] == "key001"]
    MlflowClient(uri).delete_run(run.run_id)
    assert load("deleted", tracking_uri=uri).trials["number"].tolist() == [0, 2]
    MlflowClient(uri).restore_run(run.run_id)
    assert load("deleted", tracking_uri=uri).trials["number"].tolist() == [0, 1, 2]


def test_a_study_without_its_table_is_read_run_by_run(uri: str) -> None:
    tracker = MlflowTracker(uri, experiment="bare")
    _write(tracker, "bare", [FakeTrial(0), FakeTrial(1)], end=True)
    store = Store(uri)
    parent = _parent(store, "bare")
    whole = load("bare", tracking_uri=uri)
    place = MlflowClient(uri).get_run(parent.run_id).info.artifact_uri
    table = Path(str(place).removeprefix("file://")) / names.RUNS_ARTIFACT
    written = table.read_bytes()
    for broken in (b"", b"no Parquet", written[:-20], written[: len(written) // 2] + written[-8:]):
        table.write_bytes(broken)
        assert store.closed_trials(parent) is None
        assert store.table(parent.run_id, names.RUNS_ARTIFACT) is None
    pd.DataFrame({"run_id": ["a"]}).to_parquet(table)
    assert store.closed_trials(parent) is None
    table.unlink()
    assert store.closed_trials(parent) is None
    pd.testing.assert_frame_equal(load("bare", tracking_uri=uri).trials, whole.trials)


def test_two_runs_of_one_trial_count_once_and_a_missing_history_is_told(
    uri: str, tmp_path: Path
) -> None:
    tracker = MlflowTracker(uri, experiment="odd")
    _write(tracker, "odd", [FakeTrial(0), FakeTrial(1, "dense", 4, 1.0)], end=False)
    client = MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "odd"]
    tags = {names.TAG_KIND: names.KIND_TRIAL, names.TAG_STUDY: "odd"}
    client.create_run(experiment.experiment_id, tags={**tags, names.TAG_TRIAL_KEY: "key000"})
    client.create_run(experiment.experiment_id, tags={**tags, names.TAG_OUTCOME: "complete"})
    runs = load("odd", tracking_uri=uri)
    assert sorted(runs.trials["outcome"]) == ["complete"] * 3
    text = " ".join(runs.notes)
    assert "1 run(s) repeat the trial of another" in text
    assert "1 run(s) have no trial key" in text
    assert "1 finished trial(s) have no history" in text
    assert "1 trial(s) have no stream.num_megabatches" in text
    assert write_report("odd", tracking_uri=uri, out=tmp_path).page.is_file()


def test_an_older_record_and_a_trial_left_running_are_told(uri: str) -> None:
    tracker = MlflowTracker(uri, experiment="old")
    _write(tracker, "old", [FakeTrial(0, outcome=None, megabatches=1)], end=False)
    client = MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "old"]
    (parent,) = client.search_runs(
        [experiment.experiment_id], f"tags.`{names.TAG_KIND}` = '{names.KIND_STUDY}'"
    )
    client.set_tag(parent.info.run_id, names.TAG_SCHEMA, "0")
    client.set_terminated(parent.info.run_id)
    runs = load("old", tracking_uri=uri)
    assert runs.trials["outcome"].tolist() == ["interrupted"]
    text = " ".join(runs.notes)
    assert "schema version 0" in text
    assert "counted as interrupted" in text
    assert runs.megabatches["megabatch_index"].tolist() == [0]


def test_histories_that_are_gone_are_replaced_by_the_metrics(uri: str) -> None:
    tracker = MlflowTracker(uri, experiment="gone")
    trial = FakeTrial(0)
    _write(tracker, "gone", [trial], end=False)
    tracker.finish_study({trial.key: TrialHistory()}, Outcome.COMPLETE)
    client = MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "gone"]
    for run in client.search_runs([experiment.experiment_id]):
        for file in Path(str(run.info.artifact_uri).removeprefix("file://")).rglob("*.parquet"):
            file.write_bytes(b"no parquet")
    runs = load("gone", tracking_uri=uri)
    assert runs.megabatches["holdout_error_rate"].tolist() == trial.errors
    assert any("MLflow's metrics" in note for note in runs.notes)


def test_an_unknown_study_is_answered_with_those_there_are(uri: str) -> None:
    with pytest.raises(ReportError, match=r"did you mean 'usual'.*empty.*one"):
        load("usaul", tracking_uri=uri)


def test_a_missing_database_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with pytest.raises(ReportError, match="there is no MLflow database"):
        load("usual", tracking_uri=f"sqlite:///{path}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"this is no database, whatever its name says" * 10])
def test_a_file_that_is_no_mlflow_database_is_an_error_and_stays_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)
    with pytest.raises(ReportError, match="--tracking-uri"):
        load("usual", tracking_uri=f"sqlite:///{path}")
    assert path.read_bytes() == content


def _report(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["app-report", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capfd.readouterr()
    return int(ended.value.code or 0), out, err


def test_the_command_line_prints_the_formats_and_takes_the_environments_uri(
    uri: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    code, out, err = _report(
        capfd,
        monkeypatch,
        *("runs", "usual", "--sort", "service_error", "--where", "pruning.schedule=app"),
        *("--format", "json"),
    )
    assert (code, err) == (0, "")
    rows = json.loads(out)["tables"][0]["rows"]
    assert [row["number"] for row in rows][:2] == [7, 8]
    code, out, err = _report(capfd, monkeypatch, "runs", "usual", "--format", "csv")
    # A data file has no room for notes.
    assert (code, err.startswith("Note: 1 run(s) in the same experiment")) == (0, True)
    assert len(list(csv.DictReader(io.StringIO(out)))) == 13
    code, out, err = _report(capfd, monkeypatch, "runs", "usual")
    assert (code, err) == (0, "")
    assert "out of memory" in out


def test_the_command_line_writes_the_page_and_prints_where(
    uri: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = _report(capfd, monkeypatch, "html", "usual", "--tracking-uri", uri)
    assert code == 0
    assert (tmp_path / out.strip()).is_file()
    assert out.strip() == os.fspath(Path("reports") / "usual" / "index.html")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("runs", "usaul"), "did you mean 'usual'"),
        (("runs", "usual", "--where", "shedule=app"), "there is no column 'shedule'"),
        (("runs", "usual", "--sort", "servce_error"), "did you mean 'service_error'"),
        (("html", "nosuch"), "there is no study 'nosuch'"),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_line_with_exit_code_2(
    uri: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    code, out, err = _report(capfd, monkeypatch, *arguments, "--tracking-uri", uri)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_every_table_of_the_page_is_that_of_its_report_in_json(
    uri: str,
    html: str,
    made: Mapping[str, ReportSection],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Page(html)
    assert list(page.sections) == ["answer", *made, "notes", "reading"]
    for name, section in made.items():
        _, out, _ = _report(
            capfd, monkeypatch, name, "usual", "--format", "json", "--tracking-uri", uri
        )
        assert page.headings[name] == section.title
        agree(page.sections[name], json.loads(out)["tables"], section.tables)


def test_the_page_mentions_no_address_but_its_own_and_data(html: str) -> None:
    page = Page(html)
    assert page.addresses
    for address in page.addresses:
        assert address.startswith(("#", "data:")), address
    for anchor in (a for a in page.addresses if a.startswith("#")):
        assert anchor[1:] in page.sections
    assert "default-src 'none'" in html
    style = html.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_what_a_figure_draws_and_what_a_table_holds_can_be_saved(
    html: str, made: Mapping[str, ReportSection]
) -> None:
    page = Page(html)
    figures = {figure.name: figure for section in made.values() for figure in section.figures}
    assert set(figures) == set(page.figures)
    num_tables = sum(bool(table.rows) for section in made.values() for table in section.tables)
    assert len(page.saved) == len(figures) + num_tables
    files = files_of(html)
    assert set(page.saved) == set(files)
    for name, figure in figures.items():
        rows = list(csv.DictReader(io.StringIO(files[f"{name}.csv"])))
        drawn = [(s.name, y) for panel in figure.panels for s in panel.series for y in s.y]
        assert [(row["series"], float(row["y"])) for row in rows] == drawn


def test_the_frames_are_exported(
    uri: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = _report(
        capfd, monkeypatch, "export", "usual", "--out", str(tmp_path), "--tracking-uri", uri
    )
    assert code == 0
    assert err.startswith("Note: 1 run(s) in the same experiment")
    runs = load("usual", tracking_uri=uri)
    assert len(out.split()) == 6
    for name in ("trials", "megabatches", "layers"):
        assert len(pd.read_parquet(tmp_path / f"{name}.parquet")) == len(getattr(runs, name))


def test_several_studies_are_reported_as_one(
    uri: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("usual", "one", "usual", "--format", "json", "--tracking-uri", uri)
    code, out, _ = _report(capfd, monkeypatch, "runs", *arguments)
    assert code == 0
    made = json.loads(out)
    assert len(made["tables"][0]["rows"]) == 14
    assert any("those of one start at 13" in note for note in made["notes"])
    written = write_report("usual", "one", "empty", tracking_uri=uri, out=tmp_path)
    assert "<h1>usual + one + empty</h1>" in written.page.read_text(encoding="utf-8")
    assert len(analysis.load("usual", "one", tracking_uri=uri).trials) == 14


def test_a_report_from_a_database_loads_neither_torch_nor_ray_nor_the_rest_of_study(
    uri: str,
) -> None:
    code = (
        "import importlib, pkgutil, sys, analysis\n"
        "for module in pkgutil.walk_packages(analysis.__path__, 'analysis.'):\n"
        "    importlib.import_module(module.name)\n"
        "from analysis.page.page import page, sections\n"
        f"runs = analysis.load('usual', tracking_uri={uri!r})\n"
        "page(runs, ('a',), sections(runs)); runs.layers\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'ray'}))\n"
        "print(sorted(name for name in sys.modules if name.startswith('study.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy, ours = map(ast.literal_eval, done.stdout.splitlines())
    assert heavy == []
    ground = {f"study.{path.stem}" for path in Path(study.__file__).parent.glob("*.py")}
    tracking = {name for name in ours if name.startswith("study.tracking")}
    assert set(ours) <= ground | tracking
    assert not {name for name in tracking if "mlflow" in name}
    assert done.stderr == ""


def test_trials_that_prune_as_the_reference_code_does_are_marked_in_every_report(uri: str) -> None:
    tracker = MlflowTracker(uri, experiment="compat")
    trials = [FakeTrial(0), FakeTrial(1, f"app{names.COMPAT_SUFFIX}", density=0.02)]
    _write(tracker, "compat", trials, end=True)
    runs = load("compat", tracking_uri=uri)
    assert any("1 trial(s) prune as the public reference code does" in n for n in runs.notes)
    assert not any("reference code" in n for n in load("one", tracking_uri=uri).notes)
