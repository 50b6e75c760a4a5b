"""Where progress is drawn over: a terminal, a cell of a notebook, and nowhere else."""

import io
import sys
import types
from typing import Any

import pytest
from rich.console import Console

from study.session.live_view import NotebookView, TerminalView, live_view


class Cell:
    """The output of a notebook's cell."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def update(self, view: Any) -> None:
        self.drawn.append(view._repr_mimebundle_((), ())["text/plain"].strip())


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """Where IPython displays."""
    made = Cell()

    def display(view: Any, *, display_id: bool) -> Cell:
        assert display_id
        made.update(view)
        return made

    module = types.ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return made


def test_a_file_has_no_view_and_a_terminal_and_a_notebook_have_theirs() -> None:
    assert live_view(Console(file=io.StringIO()), lambda: "") is None
    terminal = Console(file=io.StringIO(), force_terminal=True)
    assert isinstance(live_view(terminal, lambda: ""), TerminalView)
    assert isinstance(live_view(Console(force_jupyter=True), lambda: ""), NotebookView)


def test_a_cell_is_drawn_at_first_and_at_last_and_in_between_not_too_often(cell: Cell) -> None:
    number = iter(range(1000))
    view = NotebookView(lambda: f"drawn {next(number)}")
    view.start()
    for _ in range(50):
        view.refresh()
    view.stop()
    assert cell.drawn[0] == "drawn 0"
    assert 2 <= len(cell.drawn) < 50


def test_what_has_changed_long_after_it_was_drawn_is_drawn(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("study.session.live_view.time.monotonic", lambda: now[0])
    view = NotebookView(lambda: f"at {now[0]:g}")
    view.start()
    view.refresh()
    now[0] = 101.0
    view.refresh()
    assert cell.drawn == ["at 100", "at 101"]
