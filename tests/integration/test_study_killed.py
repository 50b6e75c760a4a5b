"""One study whose driver is killed, which is interrupted, and loses a worker: nothing shows it.

The trials are a fixed sequence, so that the end can be compared with an undisturbed one.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from study.results import Outcome, TrialHistory
from study.store.record import Record
from study.tracking import names
from tests.helpers.gates import CRITERION, PLUGIN, Gate, ungated
from tests.helpers.launched import SMALL, LaunchedStudy, alive, descendants, numbers, undisturbed

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1200)]

DENSE, FIRST, SECOND, THIRD = range(4)  # the trials' numbers, in the order in which they begin
NUM_TRIALS = 7
WAIT_S = 300


def raw(gates: Sequence[Gate]) -> dict[str, Any]:
    """A dense trial, three that wait in the midst of their streams, and three more.

    The second, which is cut twice, and the third, whose worker is killed, are pruned by channels.
    """
    densities = [0.3, 0.2, 0.1]
    granularities = ["weight", "channel", "channel"]
    return {
        "name": "cut",
        "plugins": [PLUGIN],
        "fixed": {
            **SMALL,
            "pruning.criterion": CRITERION,
            "stream.num_megabatches": 5,
            "training.total_samples": 4000,
        },
        "axes": [
            {"pruning.schedule": "dense"},
            *(
                {
                    "pruning.schedule": "app",
                    "pruning.final_density": density,
                    "pruning.granularity": granularity,
                    "pruning.gate": str(gate.path),
                }
                for density, granularity, gate in zip(densities, granularities, gates, strict=True)
            ),
            {"pruning.schedule": "one_shot", "pruning.final_density": densities},
        ],
        "resources": {"max_concurrent": 2},
    }


@dataclass
class Story:
    """What was seen while it happened."""

    study: LaunchedStudy
    gates: list[Gate]
    at_kill: Record = field(default_factory=Record)
    at_interrupt: Record = field(default_factory=Record)
    left_over: list[str] = field(default_factory=list)
    refused: tuple[int, str] = (0, "")
    interrupted: tuple[int, str] = (0, "")
    statuses: dict[str, tuple[str, str]] = field(default_factory=dict)
    killed_worker: str = ""
    resumed: tuple[int, str] = (0, "")


def in_the_midst_of(*numbers: int, ended: int) -> Callable[[Record], bool]:
    """The moment when one trial has ended and these are past their first megabatch, and wait."""

    def is_so(record: Record) -> bool:
        trials = list(record.trials.values())
        return (
            len(trials) > max(numbers)
            and trials[ended].outcome is not None
            and all(trials[number].history.megabatches for number in numbers)
        )

    return is_so


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("study")
    gates = [Gate(folder / name) for name in ("first", "second", "third")]
    told = Story(LaunchedStudy(folder, raw(gates)), gates)
    kill_the_driver(told)
    interrupt(told)
    kill_a_worker(told)
    return told


def kill_the_driver(told: Story) -> None:
    with told.study.start("launch", "study.yaml") as driver:
        told.study.wait_until(in_the_midst_of(FIRST, SECOND, ended=DENSE), driver, WAIT_S)
        family = descendants(driver.pid)
        driver.kill()
    # Ray's two agents, which train nothing, wait a minute for the dead server first.
    family = {pid: name for pid, name in family.items() if not name.endswith("Agent")}
    told.at_kill = told.study.record
    end = time.monotonic() + WAIT_S
    while alive(family) and time.monotonic() < end:
        time.sleep(0.1)
    told.left_over = [family[pid] for pid in alive(family)]
    told.refused = told.study.call("launch", "study.yaml")


def interrupt(told: Story) -> None:
    told.gates[0].open()
    with told.study.start("resume", "cut") as driver:
        told.study.wait_until(in_the_midst_of(SECOND, THIRD, ended=FIRST), driver, WAIT_S)
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: every process hears it
        said, _ = driver.communicate(timeout=WAIT_S)
    told.interrupted = (driver.returncode, said)
    told.at_interrupt = told.study.record
    told.statuses = {
        run.data.tags[names.TAG_TRIAL_KEY]: (run.info.status, run.data.tags[names.TAG_OUTCOME])
        for run in told.study.runs()
    }


def is_trainable(command: str) -> bool:
    return command.startswith("ray::") and "Trainable" in command


def kill_a_worker(told: Story) -> None:
    _, second, third = told.gates
    second.open()
    with told.study.start("resume", "cut") as driver:
        told.study.wait_until(
            lambda record: (
                in_the_midst_of(THIRD, ended=SECOND)(record)
                and third.pid in descendants(driver.pid)
            ),
            driver,
            WAIT_S,
        )
        assert third.pid is not None
        # An actor is called ray::StudyTrainable, and ray::ResourceTrainable.train as it trains.
        told.killed_worker = descendants(driver.pid)[third.pid]
        os.kill(third.pid, signal.SIGKILL)
        third.open()
        said, _ = driver.communicate(timeout=WAIT_S)
    told.resumed = (driver.returncode, said)


def test_the_disturbances_came_in_the_midst_of_the_study(story: Story) -> None:
    for record in (story.at_kill, story.at_interrupt):
        assert any(trial.outcome is Outcome.COMPLETE for trial in record.trials.values())
        assert any(trial.history.megabatches for trial in record.unfinished())
    assert is_trainable(story.killed_worker)


@pytest.mark.parametrize("number", [SECOND, THIRD])
def test_networks_had_lost_channels_before_and_lost_more_after(number: int, story: Story) -> None:
    before = story.at_kill if number == SECOND else story.at_interrupt
    dense, *_ = story.study.record.trials.values()
    flops = dense.history.megabatches[0].metrics["forward_flops"]
    (cut,) = (t for t in before.unfinished() if t.number == number)
    whole = story.study.record.trials[cut.key]
    assert (
        whole.history.megabatches[-1].metrics["forward_flops"]
        < (cut.history.megabatches[-1].metrics["forward_flops"])
        < flops
    )


def test_no_worker_outlives_a_killed_driver(story: Story) -> None:
    assert story.left_over == []


def test_a_cut_study_is_not_begun_anew(story: Story) -> None:
    code, said = story.refused
    assert code == 2
    assert "the study 'cut' is not finished; resume it with: app-study resume cut" in said


def test_an_interrupt_ends_the_study_cleanly_and_says_how_to_go_on(story: Story) -> None:
    code, said = story.interrupted
    assert code == 130, said
    assert "app-study resume cut" in said
    for noise in ("Traceback", "ERROR", "WARNING", "Aborted", "Tuner.restore"):
        assert noise not in said
    trials = story.at_interrupt.trials
    # A trial may have been proposed without having been started.
    assert {key for key, trial in trials.items() if trial.history.epochs} <= set(story.statuses)
    for key, status in story.statuses.items():
        ended = ("FINISHED", "complete") if trials[key].outcome else ("KILLED", "interrupted")
        assert status == ended


def test_the_study_is_finished_with_every_trial_once(story: Story) -> None:
    code, said = story.resumed
    assert code == 0, said
    assert "Traceback" not in said
    record = story.study.record
    assert record.is_finished
    assert [trial.outcome for trial in record.trials.values()] == [Outcome.COMPLETE] * NUM_TRIALS
    path = story.study.folder / "app-studies" / "cut" / "record.jsonl"
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ends = [event["key"] for event in events if event["event"] == "outcome"]
    assert sorted(ends) == sorted(record.trials)
    assert [e["event"] for e in events].count("session") == 3


def test_the_final_table_equals_an_undisturbed_one(story: Story) -> None:
    for trial in story.study.record.trials.values():
        assert numbers(trial.history) == undisturbed(ungated(trial))


def test_what_was_finished_before_is_as_it_was(story: Story) -> None:
    after = story.study.record.trials
    for key, trial in story.at_kill.trials.items():
        if trial.outcome is not None:
            assert after[key].history == trial.history  # times included


def test_a_cut_trial_went_on_from_its_checkpoint(story: Story) -> None:
    for record in (story.at_kill, story.at_interrupt):
        for trial in record.unfinished():
            if trial.history.megabatches:
                assert history_in_checkpoint(story.study, trial.key).megabatches[
                    : len(trial.history.megabatches)
                ] == (trial.history.megabatches)  # seconds too: nothing was trained again


def history_in_checkpoint(study: LaunchedStudy, key: str) -> TrialHistory:
    folder: Path = study.folder / "app-studies" / "cut" / "trials" / key / "checkpoints"
    newest = max(folder.glob("*.pt"))
    return TrialHistory.from_json(torch.load(newest, weights_only=True)["history"])


def test_mlflow_has_every_trial_once_and_every_step_once(story: Story) -> None:
    runs, trials = story.study.runs(), story.study.record.trials
    assert [run.data.tags[names.TAG_TRIAL_KEY] for run in runs] == list(trials)
    for run in runs:
        history = trials[run.data.tags[names.TAG_TRIAL_KEY]].history
        assert run.info.status == "FINISHED"
        assert run.data.tags[names.TAG_OUTCOME] == "complete"
        steps = story.study.logged_steps(run, "holdout_error_rate")
        assert steps == list(range(len(history.megabatches)))
        steps = story.study.logged_steps(run, names.EPOCH_PREFIX + "train_loss")
        assert steps == list(range(len(history.epochs)))
    (parent,) = story.study.runs(names.KIND_STUDY)
    assert parent.info.status == "FINISHED"
