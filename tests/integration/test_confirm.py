"""The best of a small search on digits, confirmed on a real Ray: record, MLflow, report."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from analysis.comparison.fresh_seeds import confirmation
from analysis.presentation.render import records
from analysis.reports.confirmed.report import ConfirmedReport
from analysis.runs.load import load
from analysis.statistics.sequential import LOOKS
from study.config.plugins import load_builtin_plugins
from study.config.study import parse_study
from study.results import Outcome
from study.store.folder import StudyFolder
from study.store.record import Record, RecordedTrial
from study.tracking import names
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset
from tests.helpers.launched import SMALL, WAIT_S, LaunchedStudy

load_builtin_plugins()

SEARCH: dict[str, Any] = {
    "name": "digits",
    "fixed": {
        "data.dataset": "digits",
        "data.holdout_fraction": 0.25,
        "model.architecture": "mlp",
        "model.hidden_sizes": [16],
        "pruning.criterion": "magnitude",
        "stream.num_megabatches": 2,
        "training.total_samples": 3000,
        "training.lr": 0.05,
    },
    "search": {
        "space": {
            "pruning.schedule": ["app", "linear", "dense"],
            "pruning.final_density": {"low": 0.1, "high": 0.9, "log": True},
        },
    },
    "objective": {"metrics": ["service_error"]},
    "budget": {"trials": 3},
    "resources": {"max_concurrent": 1},
    "tracking": {"log_models": "none"},
}
FOUND = (
    {"pruning.schedule": "dense"},
    {"pruning.schedule": "app", "pruning.final_density": 0.2},
    {"pruning.schedule": "linear", "pruning.final_density": 0.4},
)


def search_of(granularity: str) -> dict[str, Any]:
    return {**SEARCH, "fixed": {**SEARCH["fixed"], "pruning.granularity": granularity}}


def searched(path: Path, raw: dict[str, Any]) -> list[RecordedTrial]:
    """A finished search in the store at ``path``, its trials trained here without Ray."""
    study = parse_study(raw)
    folder = StudyFolder(path / "digits")
    folder.write_config(study)
    with Record.open(folder.record_path) as record:
        record.begin_session(num_trials=len(FOUND))
        for chosen in FOUND:
            trial = study.compose(chosen)
            learner = assemble(trial, load_dataset(dataset_key(trial.data)))
            for _ in learner.run():
                pass
            key = trial.key()
            record.add_trial(key, source="search", chosen=chosen, config=trial.to_dict())
            record.add_history(key, learner.history)
            record.add_outcome(key, Outcome.COMPLETE)
        record.finish()
    return list(record.trials.values())


@pytest.mark.ray
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("granularity", ["weight", "channel"])
def test_the_best_of_a_search_is_confirmed_beside_its_baselines(
    granularity: str, tmp_path: Path
) -> None:
    raw = search_of(granularity)
    found = searched(tmp_path / "app-studies", raw)
    best = min(found[1:], key=lambda trial: trial.final_values["service_error"])
    study = LaunchedStudy(tmp_path, {**raw, "name": "digits-confirm"})
    code, said = study.call("confirm", "digits", "--top", "1", "--seeds", "2")
    assert code == 0, said
    assert f"1 trial of digits ({best.number}) and its baselines, each with 2 fresh" in said
    assert "6 trials in all, in the study digits-confirm" in said
    assert "no test of 2 differences from baselines can be significant with fewer than 7" in said
    # Two seeds decide nothing.
    assert "Undecided: whether " in said
    assert "--until decided" in said

    trials = list(study.record.trials.values())
    assert study.record.is_finished
    assert [(t.outcome, t.config["seed"]) for t in trials] == [
        (Outcome.COMPLETE, seed) for _ in range(3) for seed in (1, 2)
    ]
    assert trials[0].config == {**best.config, "seed": 1}
    # As many weights are asked for one-shot as of the best; dense keeps all.
    wanted = best.config["pruning"]["final_density"]
    asked = [trial.history.megabatches[-1].metrics["asked_density"] for trial in trials]
    assert asked == [wanted] * 2 + [1.0] * 2 + [wanted] * 2
    # Half a weight may be missed of 1,184, or half a channel of 64 + 10.
    missed = {"weight": 0.5, "channel": 37}[granularity] / 1184
    for trial, density in zip(trials, asked, strict=True):
        assert trial.final_values["final_density"] == pytest.approx(density, abs=missed)

    tags = [run.data.tags for run in study.runs()]
    number = str(best.number)
    assert [t.get(names.TAG_CONFIRMED_TRIAL) for t in tags] == [number] * 2 + [None] * 4
    assert [t.get(names.TAG_BASELINE_OF) for t in tags] == [None] * 2 + [number] * 4

    runs = load("digits-confirm", tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    row, *_ = records(ConfirmedReport().build(runs).tables[0])
    # Compared with both, at the density that was asked for.
    assert [c.b for c in confirmation(runs).comparisons] == ["dense", "one_shot"]
    errors = [trial.final_values["service_error"] for trial in trials[:2]]
    assert row["number"] == best.number
    assert row["searched"] == best.final_values["service_error"]
    assert row["service_error"] == pytest.approx(sum(errors) / 2)
    assert row["optimism"] == pytest.approx(sum(errors) / 2 - row["searched"])


LAUNCHED: dict[str, Any] = {
    "name": "launched",
    "fixed": {
        **SMALL,
        "pruning.criterion": "magnitude",
        "stream.num_megabatches": 2,
        "training.total_samples": 600,
    },
    "search": {
        "space": {"pruning.final_density": {"low": 0.3, "high": 0.9}, "pruning.schedule": ["app"]},
        "points": [{"pruning.schedule": "dense"}],
    },
    "objective": {"metrics": ["service_error", "final_density"]},
    "budget": {"trials": 1},
    "resources": {"max_concurrent": 2},
    "tracking": {"log_models": "none"},
    "confirm": {"top": 1, "seeds": "decided", "baselines": ["dense"]},
}


@pytest.mark.ray
@pytest.mark.timeout(1200)
def test_a_launched_study_is_confirmed_and_goes_on_to_its_end_after_a_kill(tmp_path: Path) -> None:
    study = LaunchedStudy(tmp_path, LAUNCHED)
    confirming = LaunchedStudy(tmp_path, {"name": "launched-confirm"}, file="none.yaml")
    driver = study.start("launch", "study.yaml")
    confirming.wait_until(lambda record: _num_complete(record) >= 2, driver, WAIT_S)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    killed = confirming.record
    assert study.record.is_finished
    assert not killed.is_finished
    _, said = study.call_here("status", "launched")
    assert "launched is confirmation interrupted" in said

    code, said = study.call("resume", "launched")
    assert code == 0, said
    assert "launched-confirm was launched with the same settings before; it is resumed." in said
    record = confirming.record
    assert record.is_finished
    # As many trials as the first look takes: so few examples forbid a verdict, whatever the seeds.
    assert len(record.trials) == 2 * LOOKS[0]
    assert list(record.trials)[: len(killed.trials)] == list(killed.trials)
    assert {trial.outcome for trial in record.trials.values()} == {Outcome.COMPLETE}
    assert "it takes about" in said
    _, said = study.call_here("list")
    assert "confirmed" in said


def _num_complete(record: Record) -> int:
    return sum(trial.outcome is Outcome.COMPLETE for trial in record.trials.values())
