"""Files that are written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from study.files import atomic_replacement, atomic_write


def write_half(path: Path) -> None:
    with atomic_replacement(path) as temporary:
        temporary.write_bytes(b"half of the sec")
        raise RuntimeError


def test_a_file_that_cannot_be_finished_is_as_it_was_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "error.txt"
    atomic_write(path, b"first")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_content_is_seen_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    atomic_write(path, b"first")
    with atomic_replacement(path) as temporary:
        temporary.write_bytes(b"second")
        assert path.read_bytes() == b"first"
    assert path.read_bytes() == b"second"


def test_a_private_file_is_its_owners_alone_and_any_other_as_the_umask_has_it(
    tmp_path: Path,
) -> None:
    before = os.umask(0o022)
    try:
        for is_private, mode in ((True, 0o600), (False, 0o644)):
            atomic_write(tmp_path / "it", b"", is_private=is_private)
            assert stat.S_IMODE((tmp_path / "it").stat().st_mode) == mode
    finally:
        os.umask(before)


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with atomic_replacement(path) as one, atomic_replacement(path) as other:
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert path.read_bytes() == b"one"
