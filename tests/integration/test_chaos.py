"""Fifty times kill -9, of the driver, a worker or Ray's own processes: nothing shows.

Several small studies of the same fixed sequence of configurations, each killed a few times at
random moments, and resumed only after a death of the driver or one of Ray's too many. The random
seed is fixed, the moments are those of the machine.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from study.results import Outcome
from study.store.record import Record
from study.tracking import names
from study.tune.cluster.ray_restarts import RayRestarts
from tests.helpers.launched import SMALL, LaunchedStudy, descendants, numbers, undisturbed

pytestmark = [pytest.mark.faults, pytest.mark.ray, pytest.mark.timeout(1500)]

NUM_STUDIES, KILLS_EACH = 10, 5
RAW: dict[str, Any] = {
    "name": "chaos",
    "fixed": {
        **SMALL,
        "training.total_samples": 100000,
    },
    "axes": {
        "pruning.schedule": ["dense", "app", "one_shot"],
        "pruning.final_density": [0.3, 0.2, 0.1],
        "stream.num_megabatches": [5],
    },
    "resources": {"max_concurrent": 2, "checkpoint_every_s": 0.5},
}
NUM_TRIALS = 7
WAIT_S = 200
RAY = {"raylet": "raylet/raylet ", "gcs_server": "gcs/gcs_server "}
MAX_REPORTS_BEFORE_A_KILL = 3
MAX_DELAY_S = 1.0


@pytest.fixture(scope="module")
def expected() -> dict[str, list[object]]:
    """Trial key → numbers of the undisturbed trial; filled as trials are met."""
    return {}


class Chaos:
    """One study and its random killer."""

    def __init__(self, study: LaunchedStudy, seed: int) -> None:
        self.study = study
        self.random = random.Random(seed)
        self.driver = study.start_in_a_new_interpreter("launch", "study.yaml")
        self.killed: list[str] = []
        self.deaths_of_ray = 0  # of this driver

    def resume_if_ended(self) -> None:
        if self.driver.poll() is not None:
            said, _ = self.driver.communicate()
            assert "Traceback" not in said, said
            assert self.killed[-1] == "driver", said
            self.deaths_of_ray = 0
            self.driver = self.study.start_in_a_new_interpreter("resume", "chaos")

    def kill(self) -> None:
        """Wait for a random moment, then kill one at random."""
        target = self.random.choice(["driver", "worker", *RAY])
        before = num_reports(self.study.record)
        more = self.random.randint(1, MAX_REPORTS_BEFORE_A_KILL)
        self.study.wait_until(lambda r: num_reports(r) >= before + more, self.driver, WAIT_S)
        time.sleep(self.random.uniform(0, MAX_DELAY_S))
        assert self.driver.poll() is None, "the study ended before it was killed often enough"
        os.kill(self.pid_of(target), signal.SIGKILL)
        self.killed.append(target)
        sys.stderr.write(f"{time.time():.1f} killed {self.killed}\n")
        if target == "driver":
            self.driver.wait(timeout=30)
        elif target in RAY:
            self.deaths_of_ray += 1
            if self.deaths_of_ray > RayRestarts.MOST:
                code, said = self.end()
                assert code == 2, said
                assert "app-study resume chaos" in said
                self.driver = self.study.start_in_a_new_interpreter("resume", "chaos")
                self.deaths_of_ray = 0

    def pid_of(self, target: str) -> int:
        if target == "driver":
            return self.driver.pid
        mark = RAY.get(target, "Trainable")
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            family = descendants(self.driver.pid)
            found = sorted(pid for pid, command in family.items() if mark in command)
            if found:
                return self.random.choice(found)
            assert self.driver.poll() is None, self.driver.communicate()[0]
            time.sleep(0.05)
        raise AssertionError(f"no {target} among {family}; killed before: {self.killed}")

    def end(self) -> tuple[int, str]:
        """The driver's exit code, once it has ended, and what it said."""
        try:
            said, _ = self.driver.communicate(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            raise
        return self.driver.returncode, said


def num_reports(record: Record) -> int:
    return sum(
        len(trial.history.epochs) + len(trial.history.megabatches)
        for trial in record.trials.values()
    )


@pytest.mark.parametrize("seed", range(NUM_STUDIES))
def test_a_study_killed_at_random_ends_as_an_undisturbed_one(
    seed: int, tmp_path: Path, expected: dict[str, list[object]]
) -> None:
    chaos = Chaos(LaunchedStudy(tmp_path, RAW), seed)
    try:
        for _ in range(KILLS_EACH):
            chaos.resume_if_ended()
            chaos.kill()
        chaos.resume_if_ended()
        code, said = chaos.end()
    finally:
        chaos.driver.kill()
    assert code == 0, said
    assert len(chaos.killed) == KILLS_EACH
    record = chaos.study.record
    assert record.is_finished
    assert [trial.outcome for trial in record.trials.values()] == [Outcome.COMPLETE] * NUM_TRIALS
    for trial in record.trials.values():
        if trial.key not in expected:
            expected[trial.key] = undisturbed(trial)
        assert numbers(trial.history) == expected[trial.key]
    assert len(expected) == NUM_TRIALS
    assert_mlflow_has_all_once(chaos.study, record)
    code, said = chaos.study.call("check", "chaos")
    assert code == 0, said


def assert_mlflow_has_all_once(study: LaunchedStudy, record: Record) -> None:
    runs = study.runs()
    assert [run.data.tags[names.TAG_TRIAL_KEY] for run in runs] == list(record.trials)
    for run in runs:
        history = record.trials[run.data.tags[names.TAG_TRIAL_KEY]].history
        assert (run.info.status, run.data.tags[names.TAG_OUTCOME]) == ("FINISHED", "complete")
        steps = study.logged_steps(run, "holdout_error_rate")
        assert steps == list(range(len(history.megabatches)))
        steps = study.logged_steps(run, names.EPOCH_PREFIX + "train_loss")
        assert steps == list(range(len(history.epochs)))
    (parent,) = study.runs(names.KIND_STUDY)
    assert parent.info.status == "FINISHED"
