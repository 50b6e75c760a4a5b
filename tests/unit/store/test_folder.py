"""Studies stay in their folders, and one process at a time is in each."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.errors import StudyError
from study.store.folder import StudyFolder, StudyStore
from study.store.record import Record
from study.store.store import StorePlace

HOLD = """
import sys
from pathlib import Path
from study.store.folder import StudyStore
with StudyStore(Path(sys.argv[1])).folder("small").lock():
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    "name",
    ["../x", "..", ".", "", "a/b", "/etc", "a\\b", "-x", ".hidden", "a b", "a\n", "x" * 81, "é",
     "a'b", "<b>", "\x1b[31m", "🙂"],
)  # fmt: skip
def test_a_name_that_could_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyError, match="no study can be called"):
        StudyStore(tmp_path).folder(name)


def test_an_unknown_study_is_answered_with_the_nearest_and_the_list(tmp_path: Path) -> None:
    store = StudyStore(tmp_path)
    for name in ("quickstart", "mnist"):
        Record.open(store.folder(name).record_path).close()
    with pytest.raises(StudyError, match=r"did you mean 'quickstart'\?.*mnist, quickstart"):
        store.existing("quickstrat")
    assert store.place.names() == ["mnist", "quickstart"]


def test_a_study_is_locked_against_another_process_until_that_is_killed(tmp_path: Path) -> None:
    folder = StudyStore(tmp_path).folder("small")
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert folder.is_running()
        with pytest.raises(StudyError, match="running in another process"), folder.lock():
            pass
        holder.kill()
        holder.wait()
    assert not folder.is_running()
    with folder.lock():
        assert folder.path.is_dir()


def test_a_lock_is_free_once_it_has_been_left(tmp_path: Path) -> None:
    folder = StudyStore(tmp_path).folder("small")
    assert not folder.is_running()
    for _ in range(2):
        with folder.lock():
            assert folder.is_running()
    assert not folder.is_running()


def test_a_name_that_could_leave_a_url_is_looked_for_nowhere(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    place = StorePlace.from_address(f"file://{tmp_path}/there")
    for name in ("../x", "..", "a/b", ""):
        with pytest.raises(StudyError, match="no study"):
            place.look(name)
    with pytest.raises(StudyError, match="no study 'x' in file://"):
        StudyStore(f"file://{tmp_path}/there").existing("x")


def test_damage_at_a_url_is_found_and_mended_on_any_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    store = f"file://{tmp_path}/there"

    def on(machine: str) -> StudyFolder:
        monkeypatch.setenv("APP_STUDY_COPIES", str(tmp_path / machine))
        return StudyStore(store).folder("small")

    for key in ("whole", "torn", "unknown"):
        folder = on("first").trial_path(key)
        folder.mkdir(parents=True)
        (folder / "1").write_text(key, encoding="utf-8")
        (folder / "2").write_text(key, encoding="utf-8")
        mirror = on("first").mirror(key)
        assert mirror is not None
        mirror.push()
    (stored,) = (tmp_path / "there" / "small" / "trials" / "torn").glob("*-2")
    stored.write_bytes(b"")

    second = on("second")
    assert second.pull_trials() == [("torn", ["2"])]
    assert (second.trial_path("whole") / "2").read_text(encoding="utf-8") == "whole"
    shutil.rmtree(second.trial_path("unknown"))
    second.push_trials()

    third = on("third")
    assert third.pull_trials() == []
    left = [p.relative_to(third.path).as_posix() for p in sorted(third.path.rglob("[12]"))]
    assert left == ["trials/torn/1", "trials/whole/1", "trials/whole/2"]


def test_a_folder_has_no_trials_elsewhere(tmp_path: Path) -> None:
    folder = StudyStore(tmp_path).folder("small")
    assert folder.pull_trials() == []
    assert folder.mirror("key") is None
    folder.push_trials()
    folder.fetch_models("key")
    assert list(tmp_path.iterdir()) == []
