"""A worker's death costs a trial nothing that got further, and says why it came."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from study.tune.worker_deaths import UNKNOWN, Deaths, cause_of, is_out_of_memory

KILLED = (
    "The actor died unexpectedly before finishing this task.\n\tpid: 1\nThe actor is dead because "
    "its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker "
    "unexpectedly exits with a connection error code 2. End of file. Some common causes include: "
    "(1) the process was killed by the OOM killer due to high memory usage, (2) ray stop"
)
MONITOR = "1 worker(s) were killed due to the node running low on memory. Memory on the node"
TORCH = "Traceback\nMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
NODE = "The actor is dead.\nThe actor died because its node has died. Node Id: 00ff"


def tune_trial() -> SimpleNamespace:
    state = SimpleNamespace(ray_actor=None)
    return SimpleNamespace(max_failures=-1, num_failures=0, temporary_state=state)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (KILLED, "killed or crashed (Ray: Worker unexpectedly exits with a connection error"),
        (MONITOR, "ran out of memory (Ray's memory monitor killed it)"),
        (TORCH, "ran out of memory (MemoryError: CUDA out of memory. Tried to allocate"),
        (NODE, "the node of its worker died"),
        ("a\nModuleNotFoundError: no my_lab", f"{UNKNOWN}: ModuleNotFoundError: no my_lab"),
        ("", UNKNOWN),
    ],
)
def test_the_cause_is_what_ray_tells_in_one_line(text: str, cause: str) -> None:
    assert cause in cause_of(text)
    assert "\n" not in cause_of(text)


def test_rays_guess_at_a_cause_is_not_taken_for_a_shortage_of_memory() -> None:
    assert not is_out_of_memory(KILLED)
    assert not is_out_of_memory(cause_of(KILLED))
    assert all(is_out_of_memory(cause_of(text)) for text in (MONITOR, TORCH))


def test_a_death_with_its_node_is_not_counted() -> None:
    deaths, trial = Deaths(), tune_trial()
    deaths.watch("a", trial)
    for _ in range(20):
        deaths.died("a", cause_of(NODE))
    assert not deaths.would_be_last("a", cause_of(KILLED))
    assert trial.max_failures == -1


@pytest.mark.parametrize(("cause", "allowed"), [(cause_of(KILLED), 2), (cause_of(TORCH), 1)])
def test_so_many_deaths_in_a_row_are_survived_and_no_more(cause: str, allowed: int) -> None:
    deaths, trial = Deaths(), tune_trial()
    deaths.watch("a", trial)
    for number in range(1, allowed + 1):
        assert trial.max_failures == -1
        assert not deaths.would_be_last("a", cause)
        trial.num_failures = number
        deaths.died("a", cause)
    assert deaths.would_be_last("a", cause)
    assert trial.max_failures == trial.num_failures  # to Tune the next one is final
    assert f"after {allowed} restarts without progress" in deaths.reason("a", cause)


def test_a_death_after_something_new_costs_nothing() -> None:
    deaths, trial = Deaths(), tune_trial()
    deaths.watch("a", trial)
    for number in range(1, 20):
        trial.num_failures = number
        deaths.died("a", cause_of(KILLED))
        deaths.progressed("a")
        assert trial.max_failures == -1


def test_a_new_tune_trial_is_told_of_the_deaths_before() -> None:
    deaths, later = Deaths(), tune_trial()
    deaths.died("a", cause_of(MONITOR))
    deaths.watch("a", later)
    assert later.max_failures == 0


def test_a_death_counts_once_however_often_it_is_told(tmp_path: Path) -> None:
    deaths, trial = Deaths(), tune_trial()
    trial.error_file = tmp_path / "error.txt"
    trial.error_file.write_text(f"Failure # 1 (occurred at noon)\n{KILLED}\n")
    deaths.watch("a", trial)
    assert not deaths.is_counted("a")
    deaths.died("a", deaths.last_cause("a"))
    with trial.error_file.open("a") as file:
        file.write(f"Failure # 2 (occurred at noon)\n{KILLED}\n")
    assert deaths.is_counted("a")
    with trial.error_file.open("a") as file:
        file.write(f"Failure # 3 (occurred at one)\n{KILLED.replace('pid: 1', 'pid: 2')}\n")
    assert not deaths.is_counted("a")


def test_the_reason_of_a_shortage_says_what_to_change() -> None:
    assert "resources.max_concurrent" in Deaths().reason("a", cause_of(MONITOR))
