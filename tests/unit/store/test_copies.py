"""Of a study at a URL and its local copy the later record counts, and none is ever lost."""

import shutil
from pathlib import Path

import pytest

from study.errors import OvertakenError, StorageError
from study.store.remote.copies import StoreCopy, StudyMirror
from study.store.remote.remote import Remote
from tests.helpers.stores import KINDS, Deliveries, store_of_kind


class Machine:
    """A machine with a copy of its own."""

    def __init__(self, remote: Remote, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._remote = remote
        with self:
            self.path = StoreCopy(remote).study("small").path

    def __enter__(self) -> StudyMirror:
        self._monkeypatch.setenv("APP_STUDY_COPIES", str(self._folder))
        return StudyMirror(StoreCopy(self._remote).study("small"))

    def __exit__(self, *error: object) -> None:
        self._monkeypatch.delenv("APP_STUDY_COPIES")

    def write(self, record: str, config: str = "name: small\n") -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "record.jsonl").write_text(record, encoding="utf-8")
        (self.path / "study.yaml").write_text(config, encoding="utf-8")

    def has(self) -> tuple[str, str]:
        names = ("record.jsonl", "study.yaml")
        first, second = ((self.path / name).read_text(encoding="utf-8") for name in names)
        return first, second


@pytest.fixture(params=KINDS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    return store_of_kind(request.param, tmp_path)


@pytest.fixture
def here(remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(remote, tmp_path / "here", monkeypatch)


@pytest.fixture
def there(remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Another machine, which has sent two lines."""
    made = Machine(remote, tmp_path / "elsewhere", monkeypatch)
    made.write("1\n2\n")
    with made as mirror:
        mirror.push()
    return made


@pytest.mark.parametrize(
    ("record", "is_later"),
    [("", False), ("1\n", False), ("1\n2\n", False), ("1\n2", False), ("1\nto", False),
     ("1\n2\n3\n", True), ("1\n2\n3\nto", True)],
)  # fmt: skip
@pytest.mark.usefixtures("there")
def test_the_longer_of_two_records_is_the_later(
    here: Machine, record: str, *, is_later: bool
) -> None:
    here.write(record, config="name: changed\n")
    with here as mirror:
        mirror.pull()
    expected = (record, "name: changed\n") if is_later else ("1\n2\n", "name: small\n")
    if record == "1\n2\n":
        expected = (record, "name: small\n")
    assert here.has() == expected


@pytest.mark.usefixtures("there")
def test_a_record_that_is_the_same_is_not_written_anew_for_it_may_be_open(here: Machine) -> None:
    here.write("1\n2\n")
    before = (here.path / "record.jsonl").stat().st_ino
    with here as mirror:
        mirror.pull()
    assert (here.path / "record.jsonl").stat().st_ino == before


@pytest.mark.usefixtures("there")
def test_two_records_of_which_neither_begins_the_other_are_left_to_the_user(here: Machine) -> None:
    here.write("1\nsomething else\n")
    with here as mirror, pytest.raises(StorageError, match=f"Remove {here.path} to go on"):
        mirror.pull()
    assert here.has()[0] == "1\nsomething else\n"


def test_half_a_line_is_not_sent(here: Machine, there: Machine) -> None:
    there.write("1\n2\n3\nhal")
    with there as mirror:
        mirror.pull()
        mirror.push()
    with here as mirror:
        mirror.pull()
    assert here.has()[0] == "1\n2\n3\n"


def test_who_went_on_without_being_up_to_date_overwrites_nothing(
    here: Machine, there: Machine
) -> None:
    with here as mirror:
        mirror.pull()
        here.write("1\n2\n3\n")
        mirror.push()
    there.write("1\n2\nother\n")
    with there as mirror, pytest.raises(OvertakenError):
        mirror.push()


@pytest.mark.usefixtures("there")
def test_a_record_that_is_damaged_there_is_none_to_go_on_with(
    here: Machine, remote: Remote
) -> None:
    study = remote / "small"
    (stored,) = [name for name in study.names() if name.endswith("-record.jsonl")]
    (study / stored).write_bytes(b"1\n")
    with here as mirror, pytest.raises(StorageError, match="record is damaged there"):
        mirror.pull()


def test_nothing_is_sent_of_a_study_that_never_began_nor_twice_of_one_that_did(
    remote: Remote, here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries = Deliveries(monkeypatch, lambda *_: "arrives")
    here.write("1\n")
    (here.path / "record.jsonl").unlink()
    with here as mirror:
        mirror.push()
    assert deliveries.names == []
    here.write("1\n")
    with here as mirror:
        mirror.push()
        mirror.push()
    assert len(deliveries.names) == 3
    monkeypatch.setenv("APP_STUDY_COPIES", str(here.path.parents[1]))
    assert StoreCopy(remote).names() == ["small"]


def test_data_that_came_later_goes_along_to_whoever_may_write(
    here: Machine, there: Machine
) -> None:
    arrivals = there.path / "arrivals"
    arrivals.mkdir()
    (arrivals / "abc.npz").write_bytes(b"data")
    (arrivals / ".being.written").write_bytes(b"da")
    there.write("1\n2\n3\n")
    with there as mirror:
        mirror.pull()
        mirror.push()
    with here as mirror:
        mirror.pull(with_data=False)
        assert not (here.path / "arrivals").exists()
        mirror.pull()
        here.write("1\n2\n3\n4\n")
        mirror.push()
    assert [p.name for p in (here.path / "arrivals").iterdir()] == ["abc.npz"]
    shutil.rmtree(there.path)
    with there as mirror:
        mirror.pull()
    assert (arrivals / "abc.npz").read_bytes() == b"data"


def test_a_copy_that_is_taken_away_meanwhile_is_told_of(here: Machine, there: Machine) -> None:
    for machine in (here, there):
        with machine as mirror:
            mirror.pull()
            (machine.path / "record.jsonl").unlink()
            with pytest.raises(StorageError, match="is gone"):
                mirror.push()


def test_stores_have_copies_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APP_STUDY_COPIES", str(tmp_path))
    urls = ("s3://a/b", "s3://a-b", "gs://a/b", f"s3://{'x' * 100}", f"s3://{'x' * 101}")
    roots = {StoreCopy(Remote(url)).root for url in urls}
    assert len(roots) == len(urls)
    assert {root.parent for root in roots} == {tmp_path}
    assert StoreCopy(Remote("s3://a/b/")).root == StoreCopy(Remote("s3://a/b")).root
    monkeypatch.delenv("APP_STUDY_COPIES")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert StoreCopy(Remote("s3://a")).root.parent == Path("/caches/app-study")
