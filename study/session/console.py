"""Lines for a terminal: plain text, in which nothing is taken for markup."""

import contextlib
from typing import Any

from rich.console import Console

from study.text import printable


def say(console: Console, text: str, *, wrap_words: bool = False) -> None:
    """Print ``text`` as it stands, made safe.

    Args:
        console: Where to.
        text: Of one or more lines.
        wrap_words: Break long lines between words on a terminal, which otherwise breaks them
            itself, so that a command in them can be copied, and in a notebook, which would not;
            a file or a pipe has whole lines.
    """
    soft_wrap = not (wrap_words and (console.is_terminal or console.is_jupyter))
    console.print(printable(text), markup=False, highlight=False, soft_wrap=soft_wrap)


def spinner(console: Console, text: str) -> contextlib.AbstractContextManager[Any]:
    """Something that moves beside ``text`` at a terminal; elsewhere nothing.

    In a notebook Rich would need ipywidgets for it.
    """
    return console.status(text) if console.is_terminal else contextlib.nullcontext()
