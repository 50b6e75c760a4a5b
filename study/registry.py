"""Plug-in registries: a name stands for a frozen dataclass, its fields are hyper-parameters."""

import dataclasses
import difflib
import importlib
import re
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")


class UnknownPluginError(ValueError):
    """A name that no plug-in of the kind is registered under."""


def nearest(name: str, known: list[str]) -> str | None:
    """The known name most like ``name``, or None where none is alike."""
    matches = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    return matches[0] if matches else None


class Registry(Generic[T]):
    """Name → plug-in class, for one kind of plug-in.

    Args:
        kind: What its members are called in messages, e.g. ``"criterion"``.
        later: A module of ours that registers more of them and takes long to import; imported
            when a name is asked for that is not known without it, or when all of them are.
    """

    def __init__(self, kind: str, *, later: str | None = None) -> None:
        self.kind = kind
        self._classes: dict[str, type[T]] = {}
        self._later = later

    def _complete(self) -> None:
        if self._later is not None:
            importlib.import_module(self._later)
            self._later = None

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator that registers a frozen dataclass under ``name``.

        Raises:
            ValueError: The name is taken by another class or is none, or the class is no frozen
                dataclass.
        """
        # It is a word of the YAML, a param and a tag in MLflow, a heading, a command.
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{self.kind} {name[:80]!r}: a name is up to 80 letters, digits, '-', '_' and "
                f"'.', the first a letter"
            )

        def add(cls: type[T]) -> type[T]:
            params = getattr(cls, "__dataclass_params__", None)
            if params is None or not params.frozen or "__dataclass_fields__" not in cls.__dict__:
                raise ValueError(
                    f"{self.kind} {name!r}: {cls.__name__} must be a frozen dataclass"
                )
            if cls.__module__.partition(".")[0] != __name__.partition(".")[0]:
                self._complete()  # a user's class must not take a name of ours
            taken = self._classes.get(name)
            if taken is not None and (taken.__module__, taken.__qualname__) != (
                cls.__module__,
                cls.__qualname__,
            ):
                raise ValueError(
                    f"{self.kind} {name!r} is already registered by {taken.__module__}"
                    f".{taken.__qualname__}; choose another name"
                )
            self._classes[name] = cls
            return cls

        return add

    def get(self, name: str) -> type[T]:
        """The class registered under ``name``.

        Raises:
            UnknownPluginError: With the known names and the nearest match.
        """
        try:
            if name not in self._classes:
                self._complete()
            return self._classes[name]
        except (KeyError, TypeError):
            guess = nearest(name, self.names())
            hint = f"; did you mean {guess!r}?" if guess else ""
            known = ", ".join(self.names())
            raise UnknownPluginError(
                f"unknown {self.kind} {name!r}{hint} (known: {known})"
            ) from None

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._complete()
        return sorted(self._classes)

    def __contains__(self, name: object) -> bool:
        if name not in self._classes:
            self._complete()
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def owners(self, field: str) -> list[str]:
        """Names of the plug-ins that have a hyper-parameter called ``field``."""
        return [name for name in self.names() if field in hyperparameters(self._classes[name])]


def hyperparameters(cls: type[object]) -> dict[str, "dataclasses.Field[object]"]:
    """The fields of a plug-in class by name, in order."""
    return {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]  # every registered class is a dataclass
