"""Why a report cannot be made."""

from collections.abc import Iterable

from study.errors import UserError
from study.registry import nearest


class ReportError(UserError, ValueError):
    """A report that cannot be made; the message says what, where, and what to do."""


def unknown(kind: str, name: str, known: Iterable[str], *, place: str = "") -> ReportError:
    """The error for a ``name`` that is none of ``known``, with the nearest match and the list."""
    names = list(known)
    guess = nearest(name, names)
    hint = f"; did you mean {guess!r}?" if guess else ""
    listed = ", ".join(names) if names else "none"
    return ReportError(f"there is no {kind} {name!r}{place}{hint} (there are: {listed})")
