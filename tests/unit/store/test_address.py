"""Where a store may be: a folder or a URL, without secrets, and with its driver."""

from pathlib import Path

import pytest

from study.config.addresses import store_address
from study.config.problems import ConfigError
from study.config.study import parse_study
from study.errors import StorageError, StudyError, is_users
from study.store.remote.copies import is_url
from study.store.remote.remote import Remote
from study.store.store import StorePlace
from tests.helpers.small_studies import raw_search
from tests.helpers.stores import KINDS, store_of_kind

SECRETS = (
    "s3://key:s3cret@bucket/studies",
    "sftp://ann:s3cret@host/studies",
    "sftp://ann:s3/cret@host/studies",
    "sftp://ann:s3cret@host:22/studies",
    "https://host/studies?token=s3cret",
)


@pytest.mark.parametrize(
    "value",
    ["s3://bucket", "s3://bucket/a/b", "gs://bucket/studies/", "file:///tmp/studies",
     "sftp://ann@host:22/home/ann/studies", "abfs://box@account.dfs.core.windows.net/studies"],
)  # fmt: skip
def test_a_url_is_taken_as_it_is(value: str) -> None:
    assert store_address(value) == value
    assert parse_study(raw_search(resources={"storage_path": value})).resources.storage_path
    place = StorePlace.from_address(value)
    assert str(place) == value
    assert place.copy is not None


@pytest.mark.parametrize(
    "value", ["app-studies", "/shared/a:b@c", "~/studies", "C:/studies", "s3:/x"]
)
def test_a_path_goes_through_no_copy(value: str) -> None:
    assert not is_url(value)
    assert store_address(value) == value
    assert StorePlace.from_address(value) == StorePlace(Path(value).expanduser().absolute())


@pytest.mark.parametrize("value", SECRETS)
def test_a_secret_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(StudyError) as by_flag:
        StorePlace.from_address(value)
    with pytest.raises(ConfigError) as by_file:
        parse_study(raw_search(resources={"storage_path": value}))
    for error in (by_flag, by_file):
        assert "s3cret" not in str(error.value)
        assert "s3/cret" not in str(error.value)
    assert "resources.storage_path" in str(by_file.value)


@pytest.mark.parametrize(
    "value",
    ["s3://", "s3:///", "s3://a/*", "s3://a/[b]", "simplecache::s3://a", "s3://a::file://b",
     "S3://a", "s3://a b", "s3://a\nb", "s3://a#b", "memory://studies"],
)  # fmt: skip
def test_what_is_no_store_is_refused_with_the_remedy(value: str) -> None:
    with pytest.raises(StudyError, match=r"must be a URL such as|gone with the process"):
        StorePlace.from_address(value)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [("gs://bucket/x", "pip install gcsfs"), ("abfs://box/x", "pip install adlfs"),
     ("sftp://host/x", "paramiko"), ("nonsense://x", "Protocol not known")],
)  # fmt: skip
def test_a_missing_driver_is_named(url: str, remedy: str) -> None:
    with pytest.raises(StorageError, match=remedy) as raised:
        Remote(url).names()
    assert is_users(raised.value)


def test_neither_a_bucket_nor_a_top_folder_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="there is no /nowhere-at-all; make the bucket or the"):
        Remote("file:///nowhere-at-all/studies/x").write_bytes(b"x")
    with pytest.raises(StorageError, match="cannot be written"):
        Remote(f"file://{tmp_path}/file/x").write_bytes(b"x")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_listed_read_and_removed(kind: str, tmp_path: Path) -> None:
    store = store_of_kind(kind, tmp_path)
    assert store.names() == []
    (store / "a").write_text("é", "utf-8")
    (tmp_path / "b").write_bytes(b"b")
    (store / "deep" / "b").put(tmp_path / "b")
    assert store.names() == ["a", "deep"]
    assert (store / "a").read_text("utf-8") == "é"
    (store / "deep" / "b").get(tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b"b"
    with pytest.raises(FileNotFoundError):
        (store / "nothing").read_bytes()
    for _ in range(2):
        (store / "a").unlink()
        (store / "deep").remove_tree()
    assert store.names() == []


def test_errors_of_a_driver_are_the_users_and_hold_no_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    def refuse(*_: object) -> None:
        raise RuntimeError("https://ann:s3cret@proxy says no\nand more")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", refuse)
    with pytest.raises(StorageError) as raised:
        Remote("memory://x/y").read_bytes()
    said = str(raised.value)
    assert said == "memory://x/y cannot be read (RuntimeError: https://***@proxy says no)"
    assert is_users(raised.value)
