"""A trial's folder goes from machine to machine by way of a URL."""

from pathlib import Path

import pytest

from study.errors import StorageError
from study.export.folder import CARD_FILE, README_FILE
from study.store.remote.copies import CARDS
from study.store.remote.mirror import MirroredFolder
from study.store.remote.remote import Remote
from tests.helpers.stores import KINDS, Deliveries, store_of_kind


@pytest.fixture(params=KINDS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    return store_of_kind(request.param, tmp_path) / "trials" / "key"


def write(folder: Path, **contents: str) -> None:
    for name, content in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def files(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8")
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != ".snapshot"
    }


def test_another_machine_has_the_same_files(remote: Remote, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    write(one, checkpoints__1="a", models__0001__weights="b")
    MirroredFolder(one, remote).push()
    assert MirroredFolder(other, remote).pull() == []
    assert files(other) == files(one)


def test_what_is_being_written_and_what_is_the_drivers_stays_here(
    remote: Remote, tmp_path: Path
) -> None:
    assert {CARD_FILE, README_FILE} == CARDS
    here = tmp_path / "here"
    write(here, a="a", **{".writing-7": "b", ".writing__weights": "c", "models__README.md": "d"})
    MirroredFolder(here, remote, excluding=CARDS).push()
    MirroredFolder(tmp_path / "other", remote).pull()
    assert files(tmp_path / "other") == {"a": "a"}


def test_a_trial_that_went_on_elsewhere_goes_on_from_there_alone(
    remote: Remote, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    write(one, checkpoints__1="a", models__0001__weights="b")
    MirroredFolder(one, remote).push()
    write(one, checkpoints__2="never sent", models__0001__card="the driver's")
    moved = MirroredFolder(other, remote)
    moved.pull()
    write(other, checkpoints__2="a2", models__0002__weights="b2")
    (other / "models" / "0001" / "weights").unlink()
    moved.push()
    MirroredFolder(one, remote).pull()
    assert files(one) == {
        "checkpoints/1": "a", "checkpoints/2": "a2", "models/0002/weights": "b2"
    }  # fmt: skip
    assert not (one / "models" / "0001").exists()


def test_what_could_not_be_sent_stays_where_nobody_else_went_on(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    write(here, checkpoints__1="a")
    MirroredFolder(here, remote).push()
    write(here, checkpoints__2="a2")
    with monkeypatch.context() as patch:
        Deliveries(patch, lambda *_: "torn")
        with pytest.raises(StorageError):
            MirroredFolder(here, remote).push()
    again = MirroredFolder(here, remote)
    again.pull()
    assert files(here) == {"checkpoints/1": "a", "checkpoints/2": "a2"}
    again.push()
    MirroredFolder(tmp_path / "other", remote).pull()
    assert files(tmp_path / "other") == files(here)


def test_another_study_of_the_same_name_begins_without_what_is_left_here(
    remote: Remote, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    write(here, checkpoints__1="a")
    MirroredFolder(here, remote).push()
    remote.remove_tree()
    MirroredFolder(here, remote).pull()
    assert files(here) == {}


def test_looking_adds_what_is_asked_for_and_takes_nothing_away(
    remote: Remote, tmp_path: Path
) -> None:
    write(tmp_path / "one", checkpoints__1="a", models__1="b")
    MirroredFolder(tmp_path / "one", remote).push()
    here = tmp_path / "here"
    write(here, checkpoints__0="mine")
    MirroredFolder(here, remote).fetch("models")
    assert files(here) == {"checkpoints/0": "mine", "models/1": "b"}
    MirroredFolder(here, remote / "nothing").fetch("models")


def test_files_that_are_damaged_there_are_named_and_sent_no_more(
    remote: Remote, tmp_path: Path
) -> None:
    write(tmp_path / "one", checkpoints__1="a", checkpoints__2="b")
    MirroredFolder(tmp_path / "one", remote).push()
    (stored,) = [name for name in remote.names() if name.endswith("-2")]
    (remote / stored).write_bytes(b"")
    other = MirroredFolder(tmp_path / "other", remote)
    assert other.pull() == ["checkpoints/2"]
    assert files(tmp_path / "other") == {"checkpoints/1": "a"}
    other.push()
    assert MirroredFolder(tmp_path / "third", remote).pull() == []
