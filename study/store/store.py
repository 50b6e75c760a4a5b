"""Where a store of studies is, what things are called in it, and which studies it has."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from study.config.addresses import store_address
from study.errors import StudyError
from study.files import DEFAULT_STORE, NAME, study_names
from study.registry import nearest
from study.store.remote.copies import StoreCopy, is_url
from study.store.remote.remote import Remote


@dataclass(frozen=True)
class StorePlace:
    """A folder of studies, which is this machine's copy of one at a URL if there is a ``copy``."""

    root: Path
    copy: StoreCopy | None = None

    @classmethod
    def from_address(cls, where: Path | str) -> "StorePlace":
        """The place that a user names: a folder's path, or a URL.

        Raises:
            StudyError: No store can be there.
        """
        if isinstance(where, str) and is_url(where):
            try:
                copy = StoreCopy(Remote(store_address(where)))
            except ValueError as error:
                raise StudyError(f"--store {error}") from None
            return cls(copy.root, copy)
        return cls(Path(where).expanduser().absolute())

    def __str__(self) -> str:
        return str(self.copy.remote if self.copy else self.root)

    def names(self) -> list[str]:
        """The studies in it, sorted."""
        if self.copy is None:
            return study_names(self.root)
        return [name for name in self.copy.names() if NAME.fullmatch(name)]

    def look(self, name: str) -> bool:
        """Bring the copy of a study up to its URL.

        Returns:
            Whether a process has the study there; of a folder its lock shows that.

        Raises:
            StorageError: The store cannot be read, or has gone another way than the copy.
        """
        if self.copy is None:
            return False
        if not NAME.fullmatch(name):
            raise self.no_such_study(name)
        study = self.copy.study(name)
        study.pull(with_data=False)
        return study.is_held()

    def command(self, words: str, name: str) -> str:
        """What is to be typed to do something with a study of it: ``app-study WORDS NAME``."""
        is_elsewhere = self != StorePlace.from_address(DEFAULT_STORE)
        where = f" --store {shlex.quote(str(self))}" if is_elsewhere else ""
        return f"app-study {words} {name}{where}"

    def no_such_study(self, name: str) -> StudyError:
        """The error that names the studies there are."""
        return _no_such_study(str(self), self.names(), name)


def no_such_study(root: Path, name: str) -> StudyError:
    """The error that names the studies there are."""
    return _no_such_study(str(root.absolute()), study_names(root), name)


def _no_such_study(where: str, names: list[str], name: str) -> StudyError:
    guess = nearest(name, names)
    hint = f"; did you mean {guess!r}?" if guess else ""
    known = f" (there are: {', '.join(names)})" if names else ""
    return StudyError(f"no study {name!r} in {where}{hint}{known}")
