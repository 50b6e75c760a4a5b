"""Snapshots at a URL are whole or not there, whatever happens on the way."""

import json
from pathlib import Path

import pytest

from study.errors import OvertakenError, StorageError
from study.store.remote.remote import Remote
from study.store.remote.snapshots import Snapshots, digest_of
from tests.helpers.stores import KINDS, Deliveries, store_of_kind

FIRST = {"record.jsonl": b"one\n", "models/0001/weights": b"w" * 100}
SECOND = {"record.jsonl": b"one\ntwo\n", "models/0002/weights": b"v" * 100}
THIRD = {"record.jsonl": b"one\ntwo\nthree\n"}


@pytest.fixture(params=KINDS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    return store_of_kind(request.param, tmp_path)


def content(remote: Remote) -> dict[str, bytes | None]:
    """What somebody finds who has never been there."""
    reader = Snapshots(remote)
    snapshot = reader.newest()
    return {p: reader.read(snapshot, p) for p in snapshot.files} if snapshot else {}


def test_what_is_written_is_found_elsewhere(remote: Remote) -> None:
    writer = Snapshots(remote)
    for files in (FIRST, SECOND, THIRD):
        writer.write(files)
        assert content(remote) == files


def test_nothing_is_sent_twice(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    deliveries = Deliveries(monkeypatch, lambda *_: "arrives")
    writer = Snapshots(remote)
    writer.write(FIRST)
    assert len(deliveries.names) == 3
    writer.write(FIRST)
    assert len(deliveries.names) == 3
    writer.write(FIRST | {"record.jsonl": b"one\ntwo\n"})
    assert len(deliveries.names) == 5  # the record and the index


def test_the_newest_two_are_kept_and_nothing_else(remote: Remote) -> None:
    (remote / "lease.json").write_bytes(b"somebody else's")
    writer = Snapshots(remote)
    written = [writer.write(files) for files in (FIRST, SECOND, THIRD)]
    kept = written[1].stored_names() | written[2].stored_names()
    assert set(remote.names()) == kept | {"lease.json"}


@pytest.mark.parametrize("fate", ["torn", "lost", "unanswered"])
@pytest.mark.parametrize("number", range(3))
def test_a_write_cut_anywhere_leaves_a_whole_snapshot_and_can_be_repeated(
    remote: Remote, number: int, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Snapshots(remote)
    writer.write(FIRST)
    with monkeypatch.context() as patch:
        Deliveries(patch, lambda n, _: fate if n == number else "arrives")
        with pytest.raises(StorageError, match="the store fails"):
            writer.write(SECOND)
    has_arrived = fate == "unanswered" and number == 2  # the index, which comes last
    assert content(remote) == (SECOND if has_arrived else FIRST)
    writer.write(SECOND)
    assert content(remote) == SECOND
    writer.write(THIRD)
    writer.write(FIRST)
    assert len(remote.names()) == len(THIRD) + len(FIRST) + 2


def test_a_torn_file_of_a_dead_writer_is_sent_again(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        Deliveries(patch, lambda *_: "torn")
        with pytest.raises(StorageError):
            Snapshots(remote).write(FIRST)
    assert content(remote) == {}
    Snapshots(remote).write(FIRST)
    assert content(remote) == FIRST


def test_who_has_not_seen_the_newest_writes_nothing(remote: Remote) -> None:
    Snapshots(remote).write(FIRST)
    with pytest.raises(OvertakenError):
        Snapshots(remote).write(SECOND)
    one, other = Snapshots(remote), Snapshots(remote)
    one.newest()
    other.newest()
    one.write(SECOND)
    with pytest.raises(OvertakenError):
        other.write(THIRD)
    assert content(remote) == SECOND


def test_a_file_that_was_altered_is_not_taken(remote: Remote, tmp_path: Path) -> None:
    snapshot = Snapshots(remote).write(FIRST)
    name = f"{digest_of(FIRST['record.jsonl'])}-record.jsonl"
    (remote / name).write_bytes(b"two\n")
    here = tmp_path / "record.jsonl"
    here.write_bytes(b"before")
    reader = Snapshots(remote)
    assert reader.read(snapshot, "record.jsonl") is None
    assert not reader.fetch(snapshot, "record.jsonl", here)
    assert here.read_bytes() == b"before"
    (remote / name).unlink()
    assert not reader.fetch(snapshot, "record.jsonl", here)
    assert [path.name for path in tmp_path.iterdir() if path.name != "there"] == ["record.jsonl"]


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", ""])
def test_a_path_that_would_leave_the_folder_is_left_out(remote: Remote, path: str) -> None:
    index = json.dumps({"files": {path: "0" * 32, "inside": "1" * 32}}).encode()
    (remote / f"index-00000001-{digest_of(index)}.json").write_bytes(index)
    snapshot = Snapshots(remote).newest()
    assert snapshot is not None
    assert list(snapshot.files) == ["inside"]
