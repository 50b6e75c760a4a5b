"""One process at a time has a study at a URL, and a dead one does not."""

import dataclasses
import json
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from study.errors import OvertakenError
from study.store.remote import lease as module
from study.store.remote.lease import (
    LASTS_S,
    LEASE_FILE,
    Lease,
    LeaseHeldError,
    LeaseHolder,
    read_lease,
)
from study.store.remote.remote import Remote
from tests.helpers.s3_server import BUCKET, s3_server
from tests.helpers.stores import KINDS, store_of_kind


class Clock:
    """Time that passes in pauses alone, and what others do in them."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.at_pause = lambda: None

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.at_pause()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module.time, "time", lambda: made.now)
    return made


@pytest.fixture(params=KINDS)
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    return store_of_kind(request.param, tmp_path) / "small"


def put(study: Remote, lease: Lease) -> None:
    (study / LEASE_FILE).write_bytes(json.dumps(dataclasses.asdict(lease)).encode())


def elsewhere(clock: Clock, *, ago: float) -> Lease:
    return Lease("theirs", "other-host", "other-boot", 7, clock.now - ago)


def test_a_second_process_is_refused_with_where_the_first_is(study: Remote, clock: Clock) -> None:
    first = LeaseHolder(study, pause=clock.pause)
    first.take()
    clock.now += 100
    first.renew()
    clock.now += 100
    with pytest.raises(LeaseHeldError, match=r"process \d+\), whose lease was renewed 100 s ago"):
        LeaseHolder(study, pause=clock.pause).take()
    first.give_back()
    LeaseHolder(study, pause=clock.pause).take()


def test_a_process_that_died_on_this_machine_has_it_no_longer(study: Remote, clock: Clock) -> None:
    if not module._this_machine():
        pytest.skip("nothing tells machines apart here")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(timeout=250)
    put(study, Lease("theirs", "here", module._this_machine(), dead.pid, clock.now))
    LeaseHolder(study, pause=clock.pause).take()


def test_a_lease_that_is_not_renewed_runs_out(study: Remote, clock: Clock) -> None:
    put(study, elsewhere(clock, ago=LASTS_S - 1))
    with pytest.raises(LeaseHeldError, match="other-host"):
        LeaseHolder(study, pause=clock.pause).take()
    put(study, elsewhere(clock, ago=LASTS_S + 1))
    LeaseHolder(study, pause=clock.pause).take()


def test_a_lease_that_seems_over_but_is_renewed_counts_for_clocks_differ(
    study: Remote, clock: Clock
) -> None:
    theirs = elsewhere(clock, ago=3 * LASTS_S)
    put(study, theirs)
    clock.at_pause = lambda: put(
        study, dataclasses.replace(theirs, renewed_at=theirs.renewed_at + 20)
    )
    with pytest.raises(LeaseHeldError):
        LeaseHolder(study, pause=clock.pause).take()


def test_of_two_that_come_at_once_one_has_it(study: Remote, clock: Clock) -> None:
    clock.at_pause = lambda: put(study, elsewhere(clock, ago=0))
    with pytest.raises(LeaseHeldError, match="other-host"):
        LeaseHolder(study, pause=clock.pause).take()


def test_of_two_that_find_no_lease_one_alone_makes_it(
    study: Remote, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = module.read_lease
    theirs = elsewhere(clock, ago=0)

    def read_before_the_other(_: Remote) -> Lease | None:
        monkeypatch.setattr(module, "read_lease", read)
        put(study, theirs)
        return None

    monkeypatch.setattr(module, "read_lease", read_before_the_other)
    with pytest.raises(LeaseHeldError, match="other-host"):
        LeaseHolder(study, pause=clock.pause).take()
    assert read_lease(study / LEASE_FILE) == theirs


def test_a_lease_that_died_in_being_written_is_written_over(study: Remote, clock: Clock) -> None:
    (study / LEASE_FILE).write_bytes(b'{"tok')
    LeaseHolder(study, pause=clock.pause).take()
    assert read_lease(study / LEASE_FILE) is not None


def test_many_at_once_make_one_file(tmp_path: Path) -> None:
    file = store_of_kind("file", tmp_path) / "once"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: file.create_bytes(b"%d" % n), range(40)))
    assert made.count(True) == 1
    assert file.read_bytes() == b"%d" % made.index(True)


def test_s3s_own_server_refuses_the_second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        file = Remote(f"s3://{BUCKET}/{uuid.uuid4().hex}/{LEASE_FILE}")
        assert [file.create_bytes(content) for content in (b"1", b"2")] == [True, False]
        assert file.read_bytes() == b"1"


def test_who_was_silent_too_long_hears_that_another_has_it_and_leaves_it_alone(
    study: Remote, clock: Clock
) -> None:
    silent = LeaseHolder(study, pause=clock.pause)
    silent.take()
    put(study, elsewhere(clock, ago=0))
    with pytest.raises(OvertakenError, match="other-host"):
        silent.renew()
    silent.give_back()
    now = read_lease(study / LEASE_FILE)
    assert now is not None
    assert now.token == "theirs"


@pytest.mark.parametrize("content", [b"", b'{"token": "x"', b"[]", b'{"token": 1}'])
def test_a_lease_torn_in_being_written_is_none(study: Remote, content: bytes) -> None:
    (study / LEASE_FILE).write_bytes(content)
    assert read_lease(study / LEASE_FILE) is None
