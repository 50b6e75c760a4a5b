"""Studies with trials that hang or fail, with budgets that end, two at once, and what is left."""

from pathlib import Path
from typing import Any

import pytest

from study.results import Outcome
from study.tracking import names
from tests.helpers.launched import LaunchedStudy, numbers, undisturbed

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

FIXED: dict[str, Any] = {
    "data.dataset": "synthetic",
    "data.num_examples": 200,
    "data.num_test_examples": 40,
    "data.image_size": 8,
    "model.architecture": "mlp",
    "model.hidden_sizes": [12],
    "training.total_samples": 2000,
    "training.batch_size": 16,
    "pruning.schedule": "app",
    "pruning.criterion": "magnitude",
    "stream.num_megabatches": 2,
}
DENSITIES = [0.5, 0.4, 0.3]
HANGING = """
import time
from dataclasses import dataclass
from study.pruning.scoring import CRITERIA, Criterion

@CRITERIA.register("hangs")
@dataclass(frozen=True)
class Hangs(Criterion):
    '''Never comes back.'''
    needs_data = False

    def scores(self, context):
        time.sleep(3600)
"""


def raw(name: str, **changes: Any) -> dict[str, Any]:
    axes = {"pruning.final_density": DENSITIES}
    return {"name": name, "fixed": FIXED, "axes": axes, "resources": {"max_concurrent": 1}} | (
        changes
    )


def test_a_trial_that_hangs_fails_and_the_study_goes_on(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(HANGING, encoding="utf-8")
    fixed = {k: v for k, v in FIXED.items() if k != "pruning.criterion"}
    axes = {"pruning.criterion": ["hangs", "magnitude"], "pruning.final_density": [0.5]}
    study = LaunchedStudy(
        tmp_path,
        raw("hung", fixed=fixed, axes=axes, budget={"trial_timeout": 20}, plugins=["hanging"]),
    )
    code, said = study.call("launch", "study.yaml")
    assert code == 0, said
    hung, other = study.record.trials.values()
    assert (hung.outcome, other.outcome) == (Outcome.ERROR, Outcome.COMPLETE)
    assert "took longer than budget.trial_timeout = 20 seconds" in hung.reason
    assert "failed (1 trial): took longer than" in said


def test_failures_end_a_study_that_can_be_resumed(tmp_path: Path) -> None:
    axes = {"training.lr": [1e9, 0.05], "pruning.final_density": [0.5]}
    study = LaunchedStudy(tmp_path, raw("failing", axes=axes, budget={"fail_fast": True}))
    code, said = study.call("launch", "study.yaml")
    assert code == 1, said
    assert "1 trial has failed, which budget.fail_fast makes the end" in said
    assert "training diverged" in said
    assert "app-study resume failing" in said
    assert not study.record.is_finished
    code, said = study.call("resume", "failing")
    assert code == 0, said
    outcomes = [trial.outcome for trial in study.record.trials.values()]
    assert outcomes == [Outcome.ERROR, Outcome.COMPLETE]


def test_a_budget_of_flops_ends_a_study_and_an_extension_goes_on_with_it(tmp_path: Path) -> None:
    study = LaunchedStudy(tmp_path, raw("short", budget={"train_flops": 1.0}))
    code, said = study.call("launch", "study.yaml")
    assert code == 0, said
    assert "budget.train_flops = 1 is used up" in said
    record = study.record
    assert record.is_finished
    assert any(trial.outcome is None for trial in record.trials.values())
    code, said = study.call("extend", "short", "--train-flops", "1e15")
    assert code == 0, said
    record = study.record
    assert [t.outcome for t in record.trials.values()] == [Outcome.COMPLETE] * len(DENSITIES)
    for trial in record.trials.values():
        assert numbers(trial.history) == undisturbed(trial)
    code, said = study.call("check", "short")
    assert code == 0, said
    assert "as its record says: 3 trials" in said


def test_two_studies_at_once_share_a_machine_and_a_new_store(tmp_path: Path) -> None:
    one = LaunchedStudy(tmp_path, raw("one"))
    (tmp_path / "study.yaml").rename(tmp_path / "one.yaml")
    two = LaunchedStudy(tmp_path, raw("two"))
    first, second = one.start("launch", "one.yaml"), two.start("launch", "study.yaml")
    with first, second:
        said = [process.communicate(timeout=300)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    for study in (one, two):
        assert len(study.record.trials) == len(DENSITIES)
        code, checked = study.call("check", study.name)
        assert code == 0, checked
    tags = [run.data.tags[names.TAG_STUDY] for run in one.runs()]
    assert sorted(tags) == ["one"] * 3 + ["two"] * 3
