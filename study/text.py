"""Numbers in sentences."""

from study.credentials import without_credentials


def count(number: int, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


MAX_LINE_LENGTH = 1200


def printable(text: str) -> str:
    """``text`` without what would steer a terminal, passwords, and lines that never end."""
    return "\n".join(_shown_line(line) for line in text.splitlines())


def _shown_line(line: str) -> str:
    hidden = without_credentials(line[: 10 * MAX_LINE_LENGTH])
    shown = "".join(c if c.isprintable() else "?" for c in hidden)
    return shown if len(shown) <= MAX_LINE_LENGTH else f"{shown[: MAX_LINE_LENGTH - 1]}…"
