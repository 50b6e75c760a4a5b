"""Files at a URL, through whatever driver fsspec has for it."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.credentials import without_credentials
from study.errors import StorageError

# Protocols of the drivers that make a file exclusively: s3fs has the server refuse it
# (If-None-Match), the two of fsspec's own open it so.
EXCLUSIVE = frozenset({"s3", "file", "memory"})

_System = Any  # fsspec's, or a driver's: they ship no types


@dataclass(frozen=True)
class Remote:
    """A file or folder at a URL; nothing is opened before it is used.

    Drivers raise errors of many kinds, which are :class:`StorageError` here; only what is not
    there is a ``FileNotFoundError`` when it is read.
    """

    url: str

    def __truediv__(self, name: str) -> "Remote":
        return Remote(f"{self.url.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.url

    def names(self) -> list[str]:
        """What lies directly below, sorted; nothing where there is no such folder."""
        with self._opened("read") as (system, path):
            system.invalidate_cache()  # others write here, too
            try:
                entries = [str(entry).rstrip("/") for entry in system.ls(path, detail=False)]
            except FileNotFoundError:
                return []
        found = {e.rpartition("/")[2] for e in entries if e != path.rstrip("/")}
        return sorted(found - {"", ".", ".."})

    def read_bytes(self) -> bytes:
        """The content of the file."""
        with self._opened("read") as (system, path):
            return bytes(system.cat_file(path))

    def get(self, target: Path) -> None:
        """Fetch the file."""
        with self._opened("read") as (system, path):
            system.get_file(path, str(target))

    def write_bytes(self, content: bytes) -> None:
        """Make the file. It may be torn by a death in between, where the store allows that."""
        self._deliver(lambda system, path: system.pipe_file(path, content))

    def create_bytes(self, content: bytes) -> bool:
        """Make the file unless it is there: whether it was made.

        With the drivers of :data:`EXCLUSIVE` at most one of several that come at once makes it.
        With others it is written over.
        """
        made = True

        def send(system: _System, path: str) -> None:
            nonlocal made
            try:
                _create(system, path, content)
            except FileExistsError:
                made = False

        self._deliver(send)
        return made

    def put(self, source: Path) -> None:
        """Make the file from one here; it may be torn likewise."""
        self._deliver(lambda system, path: system.put_file(str(source), path))

    def read_text(self, encoding: str) -> str:
        """As of a local path."""
        return self.read_bytes().decode(encoding)

    def write_text(self, text: str, encoding: str) -> None:
        """As of a local path."""
        self.write_bytes(text.encode(encoding))

    def unlink(self) -> None:
        """Remove the file, if it is there."""
        with self._opened("removed") as (system, path), contextlib.suppress(FileNotFoundError):
            system.rm_file(path)

    def remove_tree(self) -> None:
        """Remove the folder with all that is in it, if it is there."""
        with self._opened("removed") as (system, path), contextlib.suppress(FileNotFoundError):
            system.invalidate_cache()
            system.rm(path, recursive=True)

    def _deliver(self, send: Callable[[_System, str], None]) -> None:
        with self._opened("written") as (system, path):
            try:
                try:
                    send(system, path)
                except FileNotFoundError:
                    # Where there are folders they are made, but neither a bucket nor a disk.
                    system.ls(_top(path))
                    system.makedirs(path.rpartition("/")[0], exist_ok=True)
                    send(system, path)
            except FileNotFoundError as error:
                raise StorageError(
                    f"{self.url} cannot be written: there is no {error.filename or _top(path)}; "
                    f"make the bucket or the folder first"
                ) from None

    @contextlib.contextmanager
    def _opened(self, what: str) -> Iterator[tuple[_System, str]]:
        try:
            yield _system_of(self.url)
        except (FileNotFoundError, StorageError):
            raise
        except Exception as error:  # each driver has errors of its own
            why = str(error).strip().partition("\n")[0] or repr(error)
            kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
            message = without_credentials(f"{self.url} cannot be {what} ({kind}{why})")
            raise StorageError(message) from error


def _create(system: _System, path: str, content: bytes) -> None:
    protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
    if protocol not in EXCLUSIVE:
        system.pipe_file(path, content)
    elif protocol == "s3":
        system.pipe_file(path, content, mode="create")
    else:
        # What fsspec does by default is to look whether it is there, and then to write.
        with system.open(path, "xb") as file:
            file.write(content)


def _top(path: str) -> str:
    """The bucket, or the first folder of a file system."""
    bare = path.lstrip("/")
    return path[: len(path) - len(bare)] + bare.partition("/")[0]


def _system_of(url: str) -> tuple[_System, str]:
    """The driver, one a thread as fsspec has it, and what it calls the place."""
    import fsspec.core

    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise StorageError(f"{url} needs a driver that is missing: {_remedy(url)}") from error
    return system, path


def _remedy(url: str) -> str:
    """What to install, as fsspec's list of drivers has it."""
    from fsspec.registry import known_implementations

    known = known_implementations[url.partition("://")[0]]
    package = str(known["class"]).partition(".")[0]
    if package == "fsspec":  # its own, which misses a library that it names
        return str(known.get("err"))
    return f"pip install {package} (on a cluster on every node)"
