"""With which codes the commands that train end."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from study.session.end import StudyEnd

INTERRUPTED = 130
ENDED = 1  # by its own budget.max_failures


def exit_unless_finished(end: "StudyEnd") -> None:
    """Tell the shell of a study that has not come to its end.

    Raises:
        typer.Exit: It was interrupted, or ended by its own budget.
    """
    if not end.is_finished:
        raise typer.Exit(ENDED if end.why else INTERRUPTED)
