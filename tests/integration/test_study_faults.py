"""Studies with trials that hang or fail, with budgets that end, two at once, and what is left."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from study.results import Outcome
from study.store.record import Record
from study.tracking import names
from tests.helpers.launched import WAIT_S, LaunchedStudy, numbers, undisturbed

pytestmark = [pytest.mark.faults, pytest.mark.ray, pytest.mark.timeout(1200)]

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


@dataclass
class Story:
    """Three studies in one folder, two at a time, and what their commands said."""

    hung: LaunchedStudy
    short: LaunchedStudy
    failing: LaunchedStudy
    said: dict[str, tuple[int, str]] = field(default_factory=dict)
    record_of_short: Record = field(default_factory=Record)
    failing_is_finished: bool = False

    def call_at_once(self, **commands: tuple[LaunchedStudy, tuple[str, ...]]) -> None:
        """Call app-study for several studies, and wait for all."""
        started = {title: study.start(*call) for title, (study, call) in commands.items()}
        for title, process in started.items():
            with process:
                said, _ = process.communicate(timeout=WAIT_S)
            self.said[title] = (process.returncode, said)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("studies")
    (folder / "hanging.py").write_text(HANGING, encoding="utf-8")
    fixed = {k: v for k, v in FIXED.items() if k != "pruning.criterion"}
    axes = {"pruning.criterion": ["hangs", "magnitude"], "pruning.final_density": [0.5]}
    raw_hung = raw(
        "hung", fixed=fixed, axes=axes, budget={"trial_timeout": 20}, plugins=["hanging"]
    )
    axes = {"training.lr": [1e9, 0.05], "pruning.final_density": [0.5]}
    told = Story(
        LaunchedStudy(folder, raw_hung, "hung.yaml"),
        LaunchedStudy(folder, raw("short", budget={"train_flops": 1.0}), "short.yaml"),
        LaunchedStudy(
            folder, raw("failing", axes=axes, budget={"fail_fast": True}), "failing.yaml"
        ),
    )
    told.call_at_once(
        hung=(told.hung, ("launch", "hung.yaml")), short=(told.short, ("launch", "short.yaml"))
    )
    told.record_of_short = told.short.record
    told.call_at_once(
        extended=(told.short, ("extend", "short", "--train-flops", "1e15")),
        failing=(told.failing, ("launch", "failing.yaml")),
    )
    told.failing_is_finished = told.failing.record.is_finished
    told.call_at_once(
        resumed=(told.failing, ("resume", "failing")),
        short_checked=(told.short, ("check", "short")),
    )
    told.said["hung_checked"] = told.hung.call_here("check", "hung")
    return told


def test_a_trial_that_hangs_fails_and_the_study_goes_on(story: Story) -> None:
    code, said = story.said["hung"]
    assert code == 0, said
    hung, other = story.hung.record.trials.values()
    assert (hung.outcome, other.outcome) == (Outcome.ERROR, Outcome.COMPLETE)
    assert "took longer than budget.trial_timeout = 20 seconds" in hung.reason
    assert "failed (1 trial): took longer than" in said


def test_failures_end_a_study_that_can_be_resumed(story: Story) -> None:
    code, said = story.said["failing"]
    assert code == 1, said
    assert "1 trial has failed, which budget.fail_fast makes the end" in said
    assert "training diverged" in said
    assert "app-study resume failing" in said
    assert not story.failing_is_finished
    code, said = story.said["resumed"]
    assert code == 0, said
    outcomes = [trial.outcome for trial in story.failing.record.trials.values()]
    assert outcomes == [Outcome.ERROR, Outcome.COMPLETE]


def test_a_budget_of_flops_ends_a_study_and_an_extension_goes_on_with_it(story: Story) -> None:
    code, said = story.said["short"]
    assert code == 0, said
    assert "budget.train_flops = 1 is used up" in said
    assert story.record_of_short.is_finished
    assert any(trial.outcome is None for trial in story.record_of_short.trials.values())
    code, said = story.said["extended"]
    assert code == 0, said
    record = story.short.record
    assert [t.outcome for t in record.trials.values()] == [Outcome.COMPLETE] * len(DENSITIES)
    for trial in record.trials.values():
        assert numbers(trial.history) == undisturbed(trial)
    code, said = story.said["short_checked"]
    assert code == 0, said
    assert "agrees with its record: 3 trials" in said


def test_two_studies_at_once_share_a_machine_and_a_new_store(story: Story) -> None:
    for launch in ("hung", "short"):
        assert story.said[launch][0] == 0
    for check in ("hung_checked", "short_checked"):
        code, said = story.said[check]
        assert code == 0, said
    tags = [run.data.tags[names.TAG_STUDY] for run in story.short.runs()]
    assert sorted(tags) == ["failing"] * 2 + ["hung"] * 2 + ["short"] * 3
