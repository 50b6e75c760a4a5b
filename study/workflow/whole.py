"""A study as a whole: its search, and what confirms it where its file says so."""

from typing import TYPE_CHECKING

from study.session.console import say
from study.workflow.confirmation import confirm_study, options_of, run_confirming
from study.workflow.workplace import Workplace

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.session.end import StudyEnd


def run_whole(
    study: "StudyConfig", workplace: Workplace, *, fresh: bool, overrides: list[str]
) -> "StudyEnd":
    """Start or resume a study, confirm its best where its file says so, and print the answer.

    Args:
        study: Checked, its plug-ins imported.
        workplace: Where it is trained and reported on.
        fresh: Launch it; else resume it.
        overrides: ``path=value`` for what the study that confirms it has otherwise.

    Returns:
        The end of what was trained last: where the search was interrupted, its own.
    """
    from study.operations.confirm_choice import ConfirmationError
    from study.operations.opened_study import OpenedStudy

    if study.confirms is not None:
        return run_confirming(study, workplace, fresh=fresh)
    end = workplace.train(study, fresh=fresh)
    if not end.is_finished:
        return end
    if study.confirm is not None:
        searched = OpenedStudy.open(end.name, str(workplace.store.place), None)
        try:
            return confirm_study(
                searched,
                options_of(study.confirm),
                searched.study.confirmation,
                workplace,
                overrides=overrides,
            )
        except ConfirmationError as error:
            say(workplace.console, f"Not confirmed: {error}")
    workplace.answer(study, end)
    return end
