"""The token of a Ray of our own: one for a user, whole, readable by nobody else."""

import multiprocessing
import stat
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from study.errors import StudyError
from study.tune.cluster.token import make_token


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def _token(home: Path) -> Path:
    return home / ".ray" / "auth_token"


def test_a_token_is_made_once_and_for_its_user_alone(home: Path) -> None:
    make_token()
    first = _token(home).read_text()
    assert len(bytes.fromhex(first)) == 32
    assert stat.S_IMODE(_token(home).stat().st_mode) == 0o600
    make_token()
    assert _token(home).read_text() == first
    assert [path.name for path in _token(home).parent.iterdir()] == ["auth_token"]


def _read_after(barrier: Barrier, home: Path, said: "multiprocessing.Queue[str]") -> None:
    barrier.wait()
    make_token()
    said.put(_token(home).read_text())


def test_processes_that_begin_at_once_agree_on_the_token(home: Path) -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(10):
        _token(home).unlink(missing_ok=True)
        barrier, said = context.Barrier(4), context.Queue()
        processes = [
            context.Process(target=_read_after, args=(barrier, home, said)) for _ in range(4)
        ]
        for process in processes:
            process.start()
        tokens = {said.get(timeout=60) for _ in processes}
        for process in processes:
            process.join()
        assert tokens == {_token(home).read_text()}
        assert "" not in tokens


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAY_AUTH_MODE", "disabled"),
        ("RAY_AUTH_TOKEN", "of the user"),
        ("RAY_AUTH_TOKEN_PATH", "/elsewhere"),
    ],
)
def test_what_the_user_chose_counts(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    make_token()
    assert not _token(home).exists()


def test_a_mode_that_asks_for_a_token_gets_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")  # as Ray itself leaves it after a first study
    make_token()
    assert _token(home).exists()


def test_a_home_that_cannot_be_written_is_named(home: Path) -> None:
    (home / ".ray").write_text("a file where the folder should be")
    with pytest.raises(StudyError, match=r"auth_token.*cannot be written.*set RAY_AUTH_TOKEN"):
        make_token()
