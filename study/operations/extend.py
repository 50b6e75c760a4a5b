"""A larger budget for a study, which can then be resumed."""

from dataclasses import dataclass
from typing import Any

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.errors import StudyError
from study.search.budget import train_flops
from study.store.folder import StudyFolder
from study.store.record import Record


@dataclass(frozen=True)
class Extension:
    """What a study's budget is raised by; None for parts that stay the same."""

    trials: int | None = None
    hours: float | None = None
    train_flops: float | None = None


def extend(study: StudyConfig, folder: StudyFolder, extension: Extension) -> StudyConfig:
    """Raise a study's budget for good, and reopen the study if it is finished.

    Returns:
        The study with its new budget, as its folder has it now.

    Raises:
        StudyError: There is nothing to raise, the new budget is used up already, or the study
            runs in another process.
    """
    with folder.lock(), folder.open_record() as record:
        raised = parse_study({**study.to_dict(), "budget": _raised(study, extension)})
        _check_time_is_left(raised, record)
        # In this order: interrupted in between, the study is open and has its old budget.
        if record.is_finished:
            record.reopen()
        folder.write_config(raised)
    return raised


def _raised(study: StudyConfig, extension: Extension) -> dict[str, Any]:
    budget = study.budget.model_dump()
    given = {name: amount for name, amount in vars(extension).items() if amount is not None}
    if not given:
        raise StudyError("nothing to extend by: give --trials, --hours or --train-flops")
    if "trials" in given and study.search is None:
        raise StudyError(
            f"the study {study.name!r} has no search, so that its trials are all in its axes; "
            f"launch a study with more of them"
        )
    for name, amount in given.items():
        if budget[name] is None:
            raise StudyError(f"the study {study.name!r} has no budget.{name} that could be raised")
        budget[name] += amount
    return budget


def _check_time_is_left(study: StudyConfig, record: Record) -> None:
    used = {"hours": record.seconds / 3600, "train_flops": train_flops(record)}
    for name, amount in used.items():
        limit = getattr(study.budget, name)
        if limit is not None and amount >= limit:
            option = name.replace("_", "-")
            raise StudyError(
                f"the study {study.name!r} has used {amount:.3g} of budget.{name} = {limit:g}; "
                f"raise that too, with --{option}"
            )
