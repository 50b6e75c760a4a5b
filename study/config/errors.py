"""What is wrong with a configuration, all at once, each with its path and a remedy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study.registry import nearest

MAX_SHOWN = 20
MAX_VALUE_LENGTH = 60


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the dotted path, and what to do."""

    path: str
    message: str


class ConfigError(ValueError):
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
        """The same problems, said to be in the file ``source``."""
        return ConfigError(self.problems, source=source)

    def _text(self) -> str:
        count = len(self.problems)
        where = f"{self.source}: " if self.source else ""
        lines = [f"{where}{count} problem{'s' if count > 1 else ''}"]
        for problem in self.problems[:MAX_SHOWN]:
            lines.append(
                f"  {problem.path}: {problem.message}" if problem.path else f"  {problem.message}"
            )
        if count > MAX_SHOWN:
            lines.append(f"  … and {count - MAX_SHOWN} more")
        return "\n".join(lines)


def shown(value: object) -> str:
    """A value as a message shows it: one line, printable, not too long."""
    text = "".join(c if c.isprintable() else "?" for c in repr(value))
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"


def unknown_key(key: object, known: Sequence[str]) -> str:
    """Message for a key that nothing knows."""
    guess = nearest(str(key), list(known))
    hint = f"did you mean {guess!r}? " if guess else ""
    return f"unknown key; {hint}(known: {', '.join(known)})"
