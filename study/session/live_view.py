"""What is shown of a running study in one place, anew as it changes: at a terminal, in a notebook.

A file or a pipe has no such place.
"""

import importlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.jupyter import JupyterMixin
from rich.live import Live

_MOST_PER_SECOND = 4

Render = Callable[[], RenderableType]


class LiveView(Protocol):
    """A place that is drawn over."""

    def start(self) -> None:
        """Draw for the first time."""

    def refresh(self) -> None:
        """Something has changed."""

    def stop(self) -> None:
        """Draw for the last time."""


def live_view(console: Console, render: Render) -> LiveView | None:
    """Where ``render`` is drawn; None where nothing can be drawn over."""
    if console.is_jupyter:
        return NotebookView(render)
    if console.is_terminal:
        return TerminalView(console, render)
    return None


class TerminalView:
    """Below all that is printed; drawn by a thread, so that clocks go on."""

    def __init__(self, console: Console, render: Render) -> None:
        self._live = Live(
            get_renderable=render,
            console=console,
            refresh_per_second=_MOST_PER_SECOND,
            transient=False,
        )

    def start(self) -> None:
        """Draw for the first time."""
        self._live.start()

    def refresh(self) -> None:
        """Nothing: the thread draws."""

    def stop(self) -> None:
        """Draw for the last time."""
        self._live.stop()


class NotebookView(JupyterMixin):
    """An output of a notebook's cell, which needs no widgets."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._handle: Any = None
        self._drawn_at = 0.0

    def __rich__(self) -> RenderableType:
        return self._render()

    def start(self) -> None:
        """Draw for the first time."""
        show = importlib.import_module("IPython.display").display  # a notebook has it
        self._handle = show(self, display_id=True)
        self._drawn_at = time.monotonic()

    def refresh(self) -> None:
        """Draw, unless that was done just now: what is sent too fast, a browser loses."""
        if time.monotonic() - self._drawn_at > 1 / _MOST_PER_SECOND:
            self._draw()

    def stop(self) -> None:
        """Draw for the last time."""
        self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        self._handle.update(self)
