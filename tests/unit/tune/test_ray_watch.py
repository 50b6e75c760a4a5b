import contextlib
import socket
import time

import pytest

from study.tune.cluster import ray_restarts, ray_watch
from study.tune.cluster.ray_restarts import RayRestarts
from study.tune.cluster.ray_watch import RayDiedError, RayWatch

WAIT_S = 10


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_watch, "_EVERY_S", 0.01)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def until_dead(watch: RayWatch) -> str:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            watch.check()
        except RayDiedError as error:
            return str(error)
        time.sleep(0.01)
    raise AssertionError("nothing was noticed")


def ignored(why: str) -> None:
    """It is not stuck."""


def test_a_process_that_no_longer_listens_is_named() -> None:
    gcs, raylet = listening(), listening()
    processes = {"gcs_server": gcs.getsockname(), "raylet": raylet.getsockname()}
    with raylet, RayWatch(processes, ignored) as watch:
        assert watch.look() == ""
        watch.check()
        gcs.close()
        assert until_dead(watch) == watch.look() == "its process gcs_server is gone"


def test_one_that_does_not_answer_is_dead_only_after_several_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [True, False, False, True, *[False] * 5]

    def connect(*_: object, **__: object) -> contextlib.nullcontext[None]:
        if answers.pop(0):
            return contextlib.nullcontext()
        raise TimeoutError

    monkeypatch.setattr(ray_watch.socket, "create_connection", connect)
    watch = RayWatch({"gcs_server": ("10.0.0.1", 1)}, ignored)
    found = [watch.look() for _ in range(9)]
    assert found == [""] * 8 + ["its process gcs_server at 10.0.0.1 does not answer"]


def test_where_the_main_thread_waits_within_ray_the_process_says_why_and_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[object] = []
    monkeypatch.setattr(ray_watch, "_STUCK_S", 0.05)
    monkeypatch.setattr(ray_watch.os, "_exit", heard.append)
    server = listening()
    with RayWatch({"gcs_server": server.getsockname()}, heard.append):
        server.close()
        end = time.monotonic() + WAIT_S
        while len(heard) < 2 and time.monotonic() < end:
            time.sleep(0.01)
    assert heard == ["its process gcs_server is gone", 2]


def test_one_that_leaves_in_time_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    monkeypatch.setattr(ray_watch.os, "_exit", heard.append)
    server = listening()
    with RayWatch({"raylet": server.getsockname()}, heard.append) as watch:
        server.close()
        until_dead(watch)
    assert heard == []


def test_the_program_resumes_the_study_in_its_own_place_three_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[object] = []
    monkeypatch.setattr(ray_restarts, "kill_rest_of_ray", lambda: events.append("kill"))
    monkeypatch.setattr(
        ray_restarts.os, "execve", lambda _, command, given: events.append((command[1:], given))
    )
    monkeypatch.setenv("MINE", "1")
    for number in range(1, RayRestarts.MOST + 1):
        restarts = RayRestarts(["--store", "s"])
        assert restarts.may_restart
        assert restarts.command("mine") == "app-study resume mine --store s"
        monkeypatch.setenv("RAY_ADDED", "1")  # by the Ray that dies
        restarts.resume("mine")
        killed, (command, given) = events
        assert (killed, command) == (
            "kill",
            ["-P", "-m", "study.cli", "resume", "mine", "--store", "s"],
        )
        assert given["MINE"] == "1"
        assert "RAY_ADDED" not in given
        assert given["APP_STUDY_RAY_RESTARTS"] == str(number)
        monkeypatch.delenv("RAY_ADDED")
        monkeypatch.setenv("APP_STUDY_RAY_RESTARTS", str(number))
        events.clear()
    assert not RayRestarts([]).may_restart
