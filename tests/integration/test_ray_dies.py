"""A Ray of our own whose processes are killed under a study: it is started again, and goes on."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from study.results import Outcome
from study.tune.cluster.ray_restarts import RayRestarts
from tests.helpers.launched import SMALL, LaunchedStudy, descendants, numbers, undisturbed

pytestmark = [pytest.mark.faults, pytest.mark.ray, pytest.mark.timeout(1500)]

WAIT_S = 300
MARKS = {"raylet": "raylet/raylet ", "gcs_server": "gcs/gcs_server "}
RAW: dict[str, Any] = {
    "name": "dies",
    "fixed": {**SMALL, "training.total_samples": 200000, "stream.num_megabatches": 20},
    "axes": {"pruning.schedule": ["app"], "pruning.final_density": [0.3, 0.1]},
    "resources": {"max_concurrent": 2, "checkpoint_every_s": 0.5},
}


def num_reports(study: LaunchedStudy) -> int:
    return sum(len(trial.history.megabatches) for trial in study.record.trials.values())


def kill_when_it_goes_on(
    study: LaunchedStudy, driver: subprocess.Popen[str], name: str, known: set[int]
) -> None:
    """Kill a process of the Ray that ``known`` is not of, once the study goes on under it.

    The processes of that Ray join ``known``.
    """
    found: dict[str, int] = {}
    end = time.monotonic() + WAIT_S
    while len(found) < len(MARKS):
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < end, f"no other Ray was started: {found}"
        time.sleep(0.05)
        commands = descendants(driver.pid).items()
        found = {
            mark: pid
            for mark, command_part in MARKS.items()
            for pid, command in commands
            if command_part in command and pid not in known
        }
    before = num_reports(study) if study_has_begun(study) else 0
    study.wait_until(lambda _: num_reports(study) > before, driver, WAIT_S)
    known.update(found.values())
    os.kill(found[name], signal.SIGKILL)


def study_has_begun(study: LaunchedStudy) -> bool:
    return (study.folder / "app-studies" / study.name / "record.jsonl").exists()


def test_a_study_goes_on_by_itself_to_the_same_bits_and_shows_no_line_of_rays(
    tmp_path: Path,
) -> None:
    study = LaunchedStudy(tmp_path, RAW)
    driver = study.start_in_a_new_interpreter("launch", "study.yaml")
    known: set[int] = set()
    try:
        for name in ("gcs_server", "raylet"):
            kill_when_it_goes_on(study, driver, name, known)
        said, _ = driver.communicate(timeout=WAIT_S)
    finally:
        driver.kill()
    assert driver.returncode == 0, said
    for name, number in (("gcs_server", 1), ("raylet", 2)):
        notice = f"Ray has died: its process {name} is gone; it is started again, {number} of"
        assert notice in " ".join(said.split())
    assert "(raylet)" not in said
    assert "rpc_client" not in said
    assert "Traceback" not in said
    for trial in study.record.trials.values():
        assert trial.outcome is Outcome.COMPLETE
        assert numbers(trial.history) == undisturbed(trial)


def test_after_the_third_time_it_ends_and_says_how_to_go_on(tmp_path: Path) -> None:
    study = LaunchedStudy(tmp_path, RAW)
    driver = study.start_in_a_new_interpreter("launch", "study.yaml")
    known: set[int] = set()
    try:
        for _ in range(RayRestarts.MOST + 1):
            kill_when_it_goes_on(study, driver, "gcs_server", known)
        said, _ = driver.communicate(timeout=WAIT_S)
    finally:
        driver.kill()
    assert driver.returncode == 2, said
    assert "app-study resume dies" in " ".join(said.split())
    assert "Traceback" not in said
