"""Lines for a terminal: plain text, in which nothing is taken for markup."""

from rich.console import Console

from study.text import printable


def say(console: Console, text: str) -> None:
    """Print ``text`` as it stands, made safe and wrapped by the terminal alone."""
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
