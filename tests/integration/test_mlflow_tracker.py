"""MLflow on SQLite: what is written, by whom it can be cut short, and what it must not show."""

import dataclasses
import itertools
import json
import math
import re
import threading
import traceback
from pathlib import Path
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from study.results import EpochRecord, MegabatchRecord, Outcome, TrialHistory
from study.tracking import names
from study.tracking.facts import DatasetInfo
from study.tracking.metric_points import metric_points
from study.tracking.mlflow import experiment
from study.tracking.mlflow.saved_view import VIEW_TAG_PREFIX, view_key
from study.tracking.mlflow.tracker import MlflowTracker
from study.tracking.tracker import TrackingError
from tests.helpers.tracking_records import before, history, study_info, trial_info


class Crash(BaseException):
    """The process dies here."""


class Client:
    """An MLflow client that counts its calls, and dies at call number ``dies_at``."""

    def __init__(self, client, dies_at=None, dies_after_effect=False):
        self._client, self._dies_at, self._late = client, dies_at, dies_after_effect
        self.calls = []

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*args, **kwargs):
            self.calls.append(name)
            dies = len(self.calls) == self._dies_at
            if dies and not self._late:
                raise Crash
            answer = method(*args, **kwargs)
            if dies:
                raise Crash
            return answer

        return call


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    address = f"sqlite:///{tmp_path_factory.mktemp('a folder #1')}/mlflow.db"
    MlflowTracker(address)
    return address


@pytest.fixture
def client(uri):
    return MlflowClient(tracking_uri=uri)


@pytest.fixture
def name(request):
    return request.node.name.replace("[", "-").replace("]", "")


def tracker_over(uri, monkeypatch, **faults):
    made = []

    def make(tracking_uri):
        made.append(Client(MlflowClient(tracking_uri=tracking_uri), **faults))
        return made[0]

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "MlflowClient", make)
        return MlflowTracker(uri), made[0]


def runs_of(client, study, kind=names.KIND_TRIAL):
    experiment = client.get_experiment_by_name("app-study").experiment_id
    return client.search_runs(
        [experiment], f"tags.`{names.TAG_KIND}` = '{kind}' AND tags.study = '{study}'"
    )


def values(client, run):
    """(metric, step, value) of all that was ever logged, doubles included."""
    points = [
        p for key in run.data.metrics for p in client.get_metric_history(run.info.run_id, key)
    ]
    return sorted((p.key, p.step, p.value) for p in points)


def expected(whole, hyperparameters):
    points = [(p.name, p.step, p.value) for p in metric_points(whole)]
    return sorted(points + [(f"hp/{key}", 0, value) for key, value in hyperparameters.items()])


def tables(run):
    folder = Path(run.info.artifact_uri.removeprefix("file://").replace("%20", " "))
    folder = Path(str(folder).replace("%23", "#"))
    config = (folder / names.CONFIG_ARTIFACT).read_text()
    paths = (names.MEGABATCHES_ARTIFACT, names.EPOCHS_ARTIFACT, names.LAYERS_ARTIFACT)
    return config, [pq.read_table(folder / path).to_pylist() for path in paths]


def snapshot(client, study):
    """All that a reader can see of a study, but for ids, times and the study's own name."""
    seen = []
    for kind in (names.KIND_STUDY, names.KIND_TRIAL):
        for run in runs_of(client, study, kind):
            tags = {k: v for k, v in run.data.tags.items() if k != "mlflow.parentRunId"}
            text = repr((run.info.status, sorted(tags.items()), run.data.params, tables(run)))
            seen.append((text.replace(study, "STUDY"), values(client, run)))
    return sorted(seen)


def live_through(tracker, study):
    """One trial of a study as the launcher tells it, from the start or again after a crash."""
    whole = history(2)
    tracker.start_study(study_info(study))
    tracker.start_trial(trial_info("k"))
    tracker.log_history("k", before(whole, 1))
    tracker.log_history("k", whole)
    tracker.finish_trial("k", whole, Outcome.COMPLETE, "")
    tracker.finish_study({"k": whole}, Outcome.COMPLETE)


def test_by_what_latency_was_measured_is_a_tag_of_the_run_and_latency_a_metric_like_any(
    uri, client
):
    made = history(2)
    last = dataclasses.replace(
        made.megabatches[-1],
        metrics={**made.megabatches[-1].metrics, "speedup": 2.5},
        measured_with="onnxruntime 1.22.0, 1 thread, some processor",
    )
    measured = TrialHistory(made.epochs, (*made.megabatches[:-1], last))
    tracker = MlflowTracker(uri)
    tracker.start_study(study_info("m"))
    for key, whole in (("k", measured), ("l", made)):
        tracker.start_trial(trial_info(key))
        tracker.finish_trial(key, whole, Outcome.COMPLETE, "")
    by_key = {r.data.tags[names.TAG_TRIAL_KEY]: r for r in runs_of(client, "m", names.KIND_TRIAL)}
    assert by_key["k"].data.tags[names.TAG_MEASURED_WITH] == last.measured_with
    assert by_key["k"].data.metrics["speedup"] == 2.5
    assert names.TAG_MEASURED_WITH not in by_key["l"].data.tags


def test_dying_between_any_two_calls_and_starting_again_leaves_what_an_undisturbed_study_does(
    uri, client, monkeypatch
):
    tracker, undisturbed = tracker_over(uri, monkeypatch)
    opening = len(undisturbed.calls)
    live_through(tracker, "undisturbed")
    wanted = snapshot(client, "undisturbed")
    assert len(wanted) == 2
    for dies_at in range(opening + 1, len(undisturbed.calls) + 1):
        study = f"dies{dies_at}"
        with pytest.raises(Crash):
            live_through(tracker_over(uri, monkeypatch, dies_at=dies_at)[0], study)
        live_through(MlflowTracker(uri), study)
        assert snapshot(client, study) == wanted, undisturbed.calls[dies_at - 1]


def test_a_trial_sees_the_calls_it_needs_and_no_more(uri, monkeypatch, name):
    tracker, seen = tracker_over(uri, monkeypatch)
    tracker.start_study(study_info(name))
    tracker.start_trial(trial_info())
    seen.calls.clear()
    tracker.log_history("a1", before(history(2), 1))
    tracker.log_history("a1", before(history(2), 1))
    tracker.log_history("a1", history(2))
    assert seen.calls == ["log_batch", "log_batch"]


def test_a_request_that_failed_is_made_good_by_the_same_tracker(uri, client, monkeypatch, name):
    whole = TrialHistory(
        tuple(EpochRecord(0, e, e, {"lr": 0.1, "train_loss": 1.0 / (e + 1)}) for e in range(1100))
    )
    tracker, seen = tracker_over(uri, monkeypatch)
    tracker.start_study(study_info(name))
    tracker.start_trial(trial_info())
    # Of the three requests of up to a thousand metrics, the second arrives and is not confirmed.
    seen._dies_at, seen._late = len(seen.calls) + 2, True
    with pytest.raises(Crash):
        tracker.log_history("a1", whole)
    tracker.log_history("a1", whole)
    (run,) = runs_of(client, name)
    assert values(client, run) == expected(whole, trial_info().hyperparameters)
    assert seen.calls.count("log_batch") == 2 + 2 + 1  # study and trial, then two and the third


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.COMPLETE, "FINISHED"),
        (Outcome.EARLY_STOPPED, "FINISHED"),
        (Outcome.ERROR, "FAILED"),
        (Outcome.INTERRUPTED, "KILLED"),
    ],
)
def test_a_closed_trial_says_how_it_ended(uri, client, outcome, status):
    tracker, study = MlflowTracker(uri), f"ended-{outcome}"
    tracker.start_study(study_info(study))
    tracker.start_trial(trial_info())
    assert runs_of(client, study)[0].info.status == "RUNNING"
    tracker.finish_trial("a1", history(1), outcome, "x" * 600 if outcome == "error" else "")
    tracker.finish_study({"a1": history(1)}, outcome)
    for run in runs_of(client, study) + runs_of(client, study, names.KIND_STUDY):
        assert run.info.status == status
        assert run.data.tags[names.TAG_OUTCOME] == outcome
    reason = runs_of(client, study)[0].data.tags.get(names.TAG_REASON)
    assert reason == ("x" * 500 if outcome == "error" else None)


def test_a_cut_trial_continues_in_its_run_and_a_finished_one_is_left_alone(uri, client, name):
    whole = history(2)
    first = MlflowTracker(uri)
    first.start_study(study_info(name))
    first.start_trial(trial_info())
    first.finish_trial("a1", before(whole, 1), Outcome.ERROR, "power failure")
    second = MlflowTracker(uri)
    second.start_study(study_info(name))
    second.start_trial(trial_info())
    (running,) = runs_of(client, name)
    assert (running.info.status, running.data.tags[names.TAG_OUTCOME]) == ("RUNNING", "running")
    second.finish_trial("a1", whole, Outcome.COMPLETE, "")
    (done,) = runs_of(client, name)
    assert names.TAG_REASON not in done.data.tags
    assert values(client, done) == expected(whole, trial_info().hyperparameters)
    third = MlflowTracker(uri)
    third.start_study(study_info(name))
    third.start_trial(trial_info())
    third.finish_trial("a1", history(2, offset=1.0), Outcome.ERROR, "no")
    (still,) = runs_of(client, name)
    assert still.to_dictionary() == done.to_dictionary()


def test_steps_replayed_from_a_checkpoint_are_not_logged_twice(uri, client, name):
    whole = history(2)
    tracker = MlflowTracker(uri)
    tracker.start_study(study_info(name))
    tracker.start_trial(trial_info())
    for reported in (whole, before(whole, 1), whole):
        tracker.log_history("a1", reported)
    (run,) = runs_of(client, name)
    assert values(client, run) == expected(whole, trial_info().hyperparameters)


def test_a_trial_that_nobody_closed_is_interrupted_when_the_study_ends(uri, client, name):
    tracker = MlflowTracker(uri)
    tracker.start_study(study_info(name))
    for number, key in enumerate(("cut", "told")):
        tracker.start_trial(trial_info(key, number))
    (told,) = (r for r in runs_of(client, name) if r.data.tags[names.TAG_TRIAL_KEY] == "told")
    client.set_tag(told.info.run_id, names.TAG_OUTCOME, "early_stopped")
    later = MlflowTracker(uri)
    later.start_study(study_info(name))
    histories = {"cut": history(1), "told": history(2)}
    later.finish_study(histories, Outcome.COMPLETE)
    ended = {
        run.data.tags[names.TAG_TRIAL_KEY]: (run.info.status, run.data.tags[names.TAG_OUTCOME])
        for run in runs_of(client, name)
    }
    assert ended == {"cut": ("KILLED", "interrupted"), "told": ("FINISHED", "early_stopped")}
    (parent,) = runs_of(client, name, names.KIND_STUDY)
    megabatches = tables(parent)[1][0]
    assert [row["trial_key"] for row in megabatches] == ["cut", "told", "told"]


def test_runs_are_found_named_and_nested_as_the_study_says(uri, client, name):
    tracker = MlflowTracker(uri, extra_tags={"team": "vision", names.TAG_STUDY: "not mine"})
    tracker.start_study(study_info(name))
    for number, key in enumerate(("a", "b")):
        tracker.start_trial(trial_info(key, number))
    (parent,) = runs_of(client, name, names.KIND_STUDY)
    assert parent.data.tags[names.TAG_DESCRIPTION] == "How small may it be?"
    assert parent.data.tags[names.TAG_OBJECTIVES] == "service_error,final_density"
    assert parent.info.run_name == name
    children = runs_of(client, name)
    assert {run.data.tags[names.TAG_TRIAL_NUMBER] for run in children} == {"0", "1"}
    assert len({frozenset(run.data.params) for run in children}) == 1
    for run in children:
        key = run.data.tags[names.TAG_TRIAL_KEY]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags[names.TAG_FINGERPRINT] == key
        assert run.data.tags["team"] == "vision"
        assert run.data.metrics["hp/pruning.final_density"] == 0.2
        assert run.data.params["pruning.schedule"] == "app"


def text_of(client, run, artifact):
    folder = client.list_artifacts(run.info.run_id, artifact.rpartition("/")[0])
    assert artifact in [file.path for file in folder]
    path = Path(client.download_artifacts(run.info.run_id, artifact))
    return path.read_text(encoding="utf-8")


def test_a_run_has_its_data_its_tables_and_its_pictures(uri, client, name):
    tracker = MlflowTracker(uri)
    tracker.start_study(study_info(name))
    data = DatasetInfo("digits", "d16e57", {"dataset": "digits"}, {"num_train": 4})
    for key in ("a", "b"):
        tracker.start_trial(trial_info(key, dataset=data))
        tracker.start_trial(trial_info(key, dataset=data))
        tracker.finish_trial(key, history(2), Outcome.COMPLETE, "")
    tracker.finish_study({"a": history(2), "b": history(2)}, Outcome.COMPLETE)
    for run in runs_of(client, name):
        ((given, tags),) = ((i.dataset, i.tags) for i in run.inputs.dataset_inputs)
        assert (given.name, given.digest) == ("digits", "d16e57")
        assert {tag.key: tag.value for tag in tags} == {"mlflow.data.context": "training"}
        shown = [item["path"] for item in json.loads(run.data.tags["mlflow.loggedArtifacts"])]
        assert shown == [names.MEGABATCHES_TABLE, names.LAYERS_TABLE]
        table = json.loads(text_of(client, run, names.LAYERS_TABLE))
        assert [row[1] for row in table["data"]] == ["hidden.weight", "out.weight"] * 2
        picture = text_of(client, run, names.LAYERS_FIGURE)
        assert "hidden.weight" in picture
        assert len(picture) < 50_000
    (parent,) = runs_of(client, name, names.KIND_STUDY)
    table = json.loads(text_of(client, parent, names.TRIALS_TABLE))
    assert [row[:2] for row in table["data"]] == [[trial_info().title, key] for key in "ab"]


def test_errors_are_there_against_the_examples_seen_too(uri, client, name):
    points = {"holdout_error_rate": 0.25, "density": 0.5, "samples_seen": 1000.0}
    tracker = MlflowTracker(uri)
    tracker.start_study(study_info(name))
    tracker.start_trial(trial_info())
    tracker.log_history("a1", TrialHistory((), (MegabatchRecord(0, 0.5, 0, points),)))
    (run,) = runs_of(client, name)
    logged = [(key, step, value) for key, step, value in values(client, run) if step == 1000]
    assert logged == [
        ("by_samples/density", 1000, 0.5),
        ("by_samples/holdout_error_rate", 1000, 0.25),
    ]


def test_a_study_opens_under_a_view_that_is_its_users_once_it_is_made(uri, client, name):
    MlflowTracker(uri).start_study(study_info(name))
    experiment = client.get_experiment_by_name("app-study")
    tag = VIEW_TAG_PREFIX + view_key(name)
    assert json.loads(experiment.tags[tag])["name"] == name
    client.set_experiment_tag(experiment.experiment_id, tag, "changed by its user")
    MlflowTracker(uri).start_study(study_info(name))
    assert client.get_experiment(experiment.experiment_id).tags[tag] == "changed by its user"


def documented_filters():
    text = (Path(__file__).parents[2] / "docs" / "mlflow.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| to see \|.*?\n\n", text, flags=re.MULTILINE | re.DOTALL)
    cells = [line.split(" | ")[1].rstrip("| ") for line in table.strip().splitlines()[2:]]
    return [cell.strip("` ") if not cell.startswith("`` ") else cell[3:-3] for cell in cells]


@pytest.mark.parametrize("query", documented_filters())
def test_a_documented_filter_is_one_that_mlflow_reads(client, query):
    experiment = client.get_experiment_by_name("app-study").experiment_id
    client.search_runs([experiment], query)


def test_what_mlflow_is_let_in_by_reaches_no_run_no_file_and_no_log(tmp_path, monkeypatch, caplog):
    secrets = {"USERNAME": "ann-the-user", "PASSWORD": "s3cret-word", "TOKEN": "t0ken-of-ann"}
    for variable, secret in secrets.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{variable}", secret)
    with caplog.at_level(0):
        live_through(MlflowTracker(f"sqlite:///{tmp_path}/mlflow.db"), "quiet")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    for secret in secrets.values():
        assert secret not in caplog.text
        assert all(secret.encode() not in path.read_bytes() for path in files)


def test_infinite_values_are_nan_in_mlflow_and_themselves_in_parquet(uri, client, name):
    odd = {"density": math.nan, "seconds": math.inf}
    tracker = MlflowTracker(uri)
    tracker.start_study(study_info(name))
    tracker.start_trial(trial_info())
    tracker.finish_trial(
        "a1", TrialHistory((), (MegabatchRecord(0, 1.0, 0, odd),)), Outcome.COMPLETE, ""
    )
    (run,) = runs_of(client, name)
    assert math.isnan(run.data.metrics["density"])
    assert math.isnan(run.data.metrics["seconds"])
    (row,) = tables(run)[1][0]
    assert math.isnan(row["density"])
    assert row["seconds"] == math.inf


def test_a_password_in_an_address_reaches_no_run_and_no_message(uri, client, name):
    secret = "postgresql://ann:s3cret@db/x"
    tracker = MlflowTracker(uri)
    tracker.start_study(
        study_info(
            name, params={"tracking.uri": secret}, config_yaml=f"uri: {secret}", description=secret
        )
    )
    params = {"tracking.uri": secret, "long": "y" * 7000}
    tracker.start_trial(trial_info(params=params, tags={"uri": secret}, config_yaml=secret))
    tracker.finish_trial("a1", history(1), Outcome.ERROR, f"no connection to {secret}")
    tracker.finish_study({}, Outcome.ERROR)
    for run in runs_of(client, name) + runs_of(client, name, names.KIND_STUDY):
        assert "s3cret" not in repr(run.to_dictionary()) + repr(tables(run))
    assert len(runs_of(client, name)[0].data.params["long"]) == 6000
    with pytest.raises(TrackingError, match=r"tracking\.uri") as caught:
        MlflowTracker(secret.replace("postgresql", "nosuchthing"))
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("text", ["a' OR tags.study LIKE '%", 'a"b', "a`b", "a\\", "", "a\nb"])
def test_a_name_that_could_change_a_search_is_refused(uri, text):
    tracker = MlflowTracker(uri)
    with pytest.raises(ValueError, match="choose another name"):
        tracker.start_study(study_info(text))
    tracker.start_study(study_info("plain"))
    with pytest.raises(ValueError, match="choose another name"):
        tracker.start_trial(trial_info(text))


def test_runs_that_a_lax_database_finds_besides_are_not_taken(uri, client, monkeypatch):
    for study in ("Case", "case"):
        tracker, seen = tracker_over(uri, monkeypatch)
        seen.search_runs = lambda ids, _, **how: client.search_runs(ids, "", **how)
        tracker.start_study(study_info(study))
        assert len(runs_of(client, study, names.KIND_STUDY)) == 1


def test_a_store_that_fails_on_the_way_fails_as_ours_and_shows_no_password(uri, monkeypatch, name):
    failure = MlflowException("API request to http://ann:s3cret@host/api failed")
    tracker, seen = tracker_over(uri, monkeypatch)
    tracker.start_study(study_info(name))
    tracker.start_trial(trial_info())
    seen.log_batch = Mock(side_effect=failure)
    with pytest.raises(TrackingError, match=r"http://\*\*\*@host/api failed") as caught:
        tracker.log_history("a1", history(1))
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_trial_that_was_never_started_is_named_with_the_remedy(uri, name):
    tracker = MlflowTracker(uri)
    tracker.start_study(study_info(name))
    with pytest.raises(TrackingError, match=r"has no trial 'ghost'.*start_trial"):
        tracker.log_history("ghost", history(1))


def test_what_is_no_database_is_refused_at_once_and_left_as_it_is(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_text("my thesis, the only copy, which is longer than a header of a database\n" * 9)
    text = path.read_text()
    with pytest.raises(TrackingError, match=r"cannot be used .*tracking\.uri"):
        MlflowTracker(f"sqlite:///{path}")
    assert path.read_text() == text


def test_a_deleted_experiment_is_refused_with_the_command_that_restores_it(uri, client):
    MlflowTracker(uri, experiment="gone")
    number = client.get_experiment_by_name("gone").experiment_id
    client.delete_experiment(number)
    with pytest.raises(TrackingError, match=f"mlflow experiments restore -x {number}"):
        MlflowTracker(uri, experiment="gone")


def test_a_new_store_made_in_one_thread_serves_another_and_keeps_its_files_beside_it(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    made = []
    maker = threading.Thread(target=lambda: made.append(MlflowTracker("sqlite:///new/mlflow.db")))
    maker.start()
    maker.join()
    monkeypatch.chdir("/")
    live_through(made[0], "threads")
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/new/mlflow.db")
    assert all(
        values(client, run) == expected(history(2), trial_info().hyperparameters)
        for run in runs_of(client, "threads")
    )
    written = itertools.islice((tmp_path / "new" / "mlartifacts").rglob("*.parquet"), 8)
    assert len(list(written)) == 7  # three histories of each run, and the study's table of runs
    assert not Path("/mlruns").exists()
    assert not (tmp_path / "mlruns").exists()
