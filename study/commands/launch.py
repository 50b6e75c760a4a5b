"""Commands that train: a whole study, the rest of one, or a single trial."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from study.commands.confirmation import confirm_study, options_of, run_confirming
from study.commands.options import (
    Address,
    Config,
    DataRoot,
    Reports,
    Set,
    Store,
    TrackingUri,
    store_root,
    with_data_root,
    with_override,
)
from study.commands.training import Workplace
from study.config.problems import in_file
from study.session.console import say

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig


def launch(
    config: Config,
    overrides: Set = [],  # noqa: B006  # Typer copies it
    data_root: DataRoot = None,
    store: Store = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Run a study on Ray, confirm its best if its file says so, and write the report."""
    from study.config.loading import load_study
    from study.store.folder import StudyStore

    with contextlib.ExitStack() as ray, in_file(config):
        # The addresses are part of the study from now on: it is resumed where it was.
        given = with_override(with_data_root(overrides, data_root), "tracking.uri", tracking_uri)
        given = with_override(given, "resources.address", address)
        study = load_study(config, overrides=given)
        workplace = Workplace(StudyStore(store_root(study, store)), tracking_uri, reports, ray)
        run_whole(study, workplace, fresh=True, overrides=[])


def resume(
    name: Annotated[str, typer.Argument(help="Name of the interrupted study.")],
    data_root: DataRoot = None,
    store: Store = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Resume a study that was interrupted, by whatever."""
    from study.config.loading import load_study
    from study.store.folder import StudyStore

    study_store = StudyStore(store_root(None, store))
    folder = study_store.existing(name)
    with contextlib.ExitStack() as ray, in_file(folder.config_path):
        given = with_override(with_data_root([], data_root), "resources.address", address)
        study = load_study(folder.config_path, overrides=given)
        workplace = Workplace(study_store, tracking_uri, reports, ray)
        run_whole(study, workplace, fresh=False, overrides=given)


def run_whole(
    study: "StudyConfig", workplace: Workplace, *, fresh: bool, overrides: list[str]
) -> None:
    """Start or resume a study, confirm its best where its file says so, and print the answer.

    Raises:
        typer.Exit: It was interrupted, or ended by its own budget.
    """
    from study.operations.confirm_choice import ConfirmationError
    from study.operations.opened_study import OpenedStudy

    if study.confirms is not None:
        run_confirming(study, workplace, fresh=fresh)
        return
    end = workplace.train(study, fresh=fresh)
    if study.confirm is not None:
        searched = OpenedStudy.open(end.name, str(workplace.store.place), None)
        try:
            confirm_study(
                searched,
                options_of(study.confirm),
                searched.study.confirmation,
                workplace,
                overrides=overrides,
            )
        except ConfirmationError as error:
            say(Console(), f"Not confirmed: {error}")
        else:
            return
    workplace.answer(study, end)
