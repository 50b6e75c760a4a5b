"""Numbers in sentences, and text that is safe to show."""

from study.credentials import without_credentials

MAX_LINE_LENGTH = 1200
_LOOKED_AT = 10  # times what is shown: a text may be endless


def count(number: int, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def first_line(text: str) -> str:
    """Of what is more than blank; empty where all is."""
    return next(iter(text.strip().splitlines()), "")


def duration(seconds: float) -> str:
    """``12 s``, ``3 min``, ``2 h 05 min``."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def printable(text: str) -> str:
    """``text`` without what would steer a terminal, passwords, and lines that never end."""
    return "\n".join(_safe(line, MAX_LINE_LENGTH) for line in text.splitlines())


def one_line(text: str, length: int) -> str:
    """The same on one line of at most ``length`` characters."""
    hidden = without_credentials(text[: _LOOKED_AT * length])
    return _safe(" ".join(hidden.split()), length)


def _safe(line: str, length: int) -> str:
    hidden = without_credentials(line[: _LOOKED_AT * length])
    shown = "".join(c if c.isprintable() else "?" for c in hidden)
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"
