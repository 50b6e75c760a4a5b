"""A real search with early stopping: the record, Optuna, MLflow and the report agree."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from analysis.runs.load import load
from study.config.study import parse_study
from study.config.yaml_io import read_yaml_file
from study.results import Outcome
from study.search.optuna_study import Proposals
from study.store.record import Record
from study.tracking import names
from tests.helpers.gates import CRITERION, PLUGIN, Gate, ungated, ungated_study
from tests.helpers.launched import WAIT_S, LaunchedStudy, numbers, undisturbed
from tests.helpers.small_studies import FIXED

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1200)]

NUM_PROPOSALS = 14
RAW: dict[str, Any] = {
    "name": "stopped",
    "plugins": [PLUGIN],
    "fixed": {
        **FIXED,
        "pruning.criterion": CRITERION,
        "pruning.once": True,
        "pruning.schedule": "app",
        "pruning.final_density": 0.5,
        "stream.num_megabatches": 4,
        "training.total_samples": 2400,
    },
    "search": {
        # From learning well to not at all, so that some are behind.
        "space": {"training.lr": {"low": 0.002, "high": 0.2, "log": True}},
        "sampler": "random",
        "stopping": {"name": "asha", "first_rung": 0.25, "reduction": 2, "min_trials": 2},
        "points": [{"training.lr": 0.002}],
    },
    "objective": {"metrics": ["service_error"]},
    "budget": {"trials": NUM_PROPOSALS},
    "resources": {"max_concurrent": 2},
}


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> LaunchedStudy:
    """A study that was killed after half of its trials, in the midst of one, and resumed."""
    folder = tmp_path_factory.mktemp("stopped")
    gate = Gate(folder / "gate")
    study = LaunchedStudy(
        folder, RAW | {"fixed": {**RAW["fixed"], "pruning.gate": str(gate.path)}}
    )
    with study.start("launch", "study.yaml") as process:

        def is_halfway(record: Record) -> bool:
            ended = [t for t in record.trials.values() if t.outcome is not None]
            return gate.pid is not None and len(ended) >= NUM_PROPOSALS // 2

        study.wait_until(is_halfway, process, WAIT_S)
        process.kill()
    assert study.record.unfinished()
    gate.open()
    code, said = study.call("resume", "stopped")
    assert code == 0, said
    return study


def test_some_trials_are_stopped_on_a_rung_and_no_point_is(launched: LaunchedStudy) -> None:
    trials = list(launched.record.trials.values())
    outcomes = Counter(trial.outcome for trial in trials)
    assert set(outcomes) == {Outcome.COMPLETE, Outcome.EARLY_STOPPED}
    assert outcomes[Outcome.EARLY_STOPPED] >= 2
    assert len(trials) == NUM_PROPOSALS + 1
    for trial in trials:
        if trial.outcome is Outcome.EARLY_STOPPED:
            assert trial.source == "search"
            assert trial.history.megabatches[-1].stream_fraction in (0.25, 0.5)


def test_a_stopped_trial_is_pruned_to_optuna_and_tagged_in_mlflow(
    launched: LaunchedStudy,
) -> None:
    record = launched.record
    path = launched.folder / "app-studies" / "stopped" / "study.yaml"
    known = Proposals(parse_study(ungated_study(read_yaml_file(path))), record).optuna_study.trials
    pruned = {t.user_attrs["trial_key"] for t in known if t.state.name == "PRUNED"}
    stopped = {t.key for t in record.trials.values() if t.outcome is Outcome.EARLY_STOPPED}
    assert pruned == stopped
    tagged = {
        run.data.tags[names.TAG_TRIAL_KEY]
        for run in launched.runs()
        if run.data.tags[names.TAG_OUTCOME] == Outcome.EARLY_STOPPED
    }
    assert tagged == stopped


def test_the_report_names_a_finished_winner_and_counts_the_stopped(
    launched: LaunchedStudy,
) -> None:
    runs = load("stopped", tracking_uri=f"sqlite:///{launched.folder / 'mlflow.db'}")
    stopped = [t for t in launched.record.trials.values() if t.outcome is Outcome.EARLY_STOPPED]
    assert len(runs.trials) - len(runs.complete) == len(stopped)
    assert runs.complete["service_error"].notna().all()
    page = (launched.folder / "reports" / "stopped" / "index.html").read_text(encoding="utf-8")
    assert f"{len(stopped)} stopped early" in page


def test_stopping_and_resuming_change_no_number_of_a_trial(launched: LaunchedStudy) -> None:
    for trial in list(launched.record.trials.values())[:6]:
        whole, seen = undisturbed(ungated(trial)), numbers(trial.history)
        if trial.outcome is Outcome.COMPLETE:
            assert seen == whole
        else:
            assert all(line in whole for line in seen)


def test_the_default_stops_what_is_out_of_reach_of_a_trial_that_has_ended(
    tmp_path: Path,
) -> None:
    search = {**RAW["search"], "stopping": {"min_trials": 1}}
    raw = RAW | {"search": search, "resources": {"max_concurrent": 1}}
    study = LaunchedStudy(tmp_path, ungated_study(raw))
    code, said = study.call("launch", "study.yaml")
    assert code == 0, said
    outcomes = Counter(trial.outcome for trial in study.record.trials.values())
    assert outcomes[Outcome.EARLY_STOPPED] >= 1
    assert "stopped early" in said
