"""What is wrong with a configuration, all at once, each with its path and a remedy."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import UserError
from study.registry import nearest
from study.text import MAX_LINE_LENGTH, count, one_line

MAX_SHOWN = 20
MAX_DETAILS = 20  # of all problems together: all fit on one screen
MAX_VALUE_LENGTH = 60
MAX_PATH_LENGTH = 120
MAX_DETAIL_LENGTH = 110


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the dotted path, and what to do.

    ``details`` are lines below it, such as one for each broken file.
    """

    path: str
    message: str
    details: tuple[str, ...] = ()


class ConfigError(UserError, ValueError):
    """A configuration that cannot be used.

    Attributes:
        source: The file it came from.
        problems: Everything found, in order of appearance, without repetition.
    """

    def __init__(self, problems: Iterable[Problem], *, source: str = "") -> None:
        self.problems = tuple(dict.fromkeys(problems))
        self.source = source
        super().__init__(self._text())

    def with_source(self, source: str) -> "ConfigError":
        """The same problems in the file ``source``, unless a file is named already."""
        return ConfigError(self.problems, source=self.source or source)

    def _text(self) -> str:
        where = f"{one_line(self.source, MAX_PATH_LENGTH)}: " if self.source else ""
        lines = [f"{where}{count(len(self.problems), 'problem')}"]
        room = MAX_DETAILS
        for problem in self.problems[:MAX_SHOWN]:
            path = f"{one_line(problem.path, MAX_PATH_LENGTH)}: " if problem.path else ""
            lines.append(f"  {path}{one_line(problem.message, MAX_LINE_LENGTH)}")
            details = problem.details[:room]
            lines += [f"    {one_line(detail, MAX_DETAIL_LENGTH)}" for detail in details]
            if len(problem.details) > room:
                lines.append(f"    … and {len(problem.details) - room:,} more")
            room -= len(details)
        if len(self.problems) > MAX_SHOWN:
            lines.append(f"  … and {len(self.problems) - MAX_SHOWN} more")
        return "\n".join(lines)


def shown(value: object) -> str:
    """A value as a message shows it: one line, printable, not too long; lists in brackets."""
    try:
        text = repr(_as_lists(value))
    except ValueError:  # Python does not write integers of more than 4,300 digits
        text = "a number of thousands of digits"
    return one_line(text, MAX_VALUE_LENGTH)


def _as_lists(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_as_lists(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _as_lists(item) for key, item in value.items()}
    return value


def unknown_key(key: object, known: Sequence[str]) -> str:
    """Message for a key that nothing knows."""
    return f"unknown key; {did_you_mean(key, known)}"


def did_you_mean(name: object, known: Sequence[str]) -> str:
    """The remedy for a name that is none of ``known``."""
    guess = nearest(str(name), list(known))
    hint = f"did you mean {guess!r}? " if guess else ""
    return f"{hint}(known: {', '.join(known)})"


_WORDS = {
    "missing": "must be given",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
}


def pydantic_message(item: Mapping[str, Any]) -> str:
    """One of pydantic's errors in the words of this house, with the value that was given."""
    kind, value = str(item["type"]), item["input"]
    if kind == "missing":
        return _WORDS[kind]
    if kind == "float_type" and type(value) is int:
        message = "is too large: numbers end at 1.8e308"
    elif kind in _WORDS:
        message = _WORDS[kind].format(**{k: _whole(v) for k, v in item.get("ctx", {}).items()})
    else:
        text = str(item["msg"]).removeprefix("Value error, ")
        message = text[:1].lower() + text[1:]
    if kind == "value_error":
        return message
    return f"{message}, got {shown(value)}{_hint(kind, value)}"


def _whole(bound: object) -> object:
    """A bound without decimals that are zero."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _hint(kind: str, value: Any) -> str:
    if kind == "tuple_type" and isinstance(value, str | int | float):
        return f"; write [{value}]" if len(str(value)) < MAX_VALUE_LENGTH else ""
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return f"; write {int(value)}" if abs(value) < 1e15 else ""
    if kind in ("int_type", "float_type", "string_type", "bool_type", "literal_error") and (
        isinstance(value, tuple | list)
    ):
        return "; several values to try belong under axes or search.space"
    return ""


@contextlib.contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Name the file at ``path`` as the source of what is wrong with a study inside."""
    from study.config.problems import ConfigError

    try:
        yield
    except ConfigError as error:
        raise error.with_source(str(path)) from None
