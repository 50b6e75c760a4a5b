"""``app-study validate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from study.commands.options import DataRoot, Set
from study.config.problems import in_file
from study.errors import SeveralError
from study.session.console import say
from study.text import count
from study.workflow.addresses import with_data_root
from study.workflow.confirmation import decidable, options_of

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig


def validate(
    configs: Annotated[list[Path], typer.Argument(help="Study files (YAML).", show_default=False)],
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data: Annotated[bool, typer.Option("--data", help="Also read the data.")] = False,
    data_root: DataRoot = None,
) -> None:
    """Check study files without running anything."""
    from study.config.loading import load_study
    from study.config.problems import ConfigError
    from study.operations.planned_comparisons import undecidable

    refused = []
    for path in configs:
        try:
            with in_file(path):
                study = load_study(path, overrides=with_data_root(overrides, data_root))
                num_holdout = _read_data(study) if data else None
        except ConfigError as error:
            refused.append(error)
            continue
        more = f" and up to {_num_confirming(study)} that confirm" if study.confirm else ""
        what = f"{count(study.num_trials, 'trial')}{more}"
        say(Console(), f"{path}: study {study.name!r} is valid, {what}")
        for line in decidable(study, num_holdout) if num_holdout is not None else ():
            say(Console(), line)
        if open_whatever_comes := undecidable(study):
            say(Console(), f"  {open_whatever_comes}")
    if refused:
        raise SeveralError([str(error) for error in refused])


def _read_data(study: "StudyConfig") -> int:
    """Read the data of a study and check its trials; examples of the smallest holdout."""
    from study.operations.plan import smallest_holdout
    from study.trial.read_data import load_and_check

    trials = list(study.corners())
    return smallest_holdout(trials, load_and_check({trial.key(): trial for trial in trials}))


def _num_confirming(study: "StudyConfig") -> int:
    assert study.confirm is not None
    return options_of(study.confirm).most_trials
