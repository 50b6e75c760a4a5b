"""``app-study extend``."""

from pathlib import Path
from typing import Annotated

import typer

from study.commands.completion import complete_study
from study.commands.launch import resume
from study.commands.options import Address, DataRoot, Reports, Store, TrackingUri
from study.config.problems import in_file
from study.workflow.addresses import store_root


def extend(
    name: Annotated[str, typer.Argument(help="Name of a study.", autocompletion=complete_study)],
    trials: Annotated[
        int | None, typer.Option(min=1, help="More proposals, added to budget.trials.")
    ] = None,
    hours: Annotated[
        float | None, typer.Option(min=0, help="More hours, added to budget.hours.")
    ] = None,
    train_flops: Annotated[
        float | None, typer.Option(min=0, help="More FLOPs, added to budget.train_flops.")
    ] = None,
    data_root: DataRoot = None,
    store: Store = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Raise the budget of a study, and resume it."""
    from study.config.loading import load_study
    from study.operations.extend import Extension
    from study.operations.extend import extend as raise_budget
    from study.store.folder import StudyStore

    folder = StudyStore(store_root(None, store)).existing(name)
    with in_file(folder.config_path):
        study = load_study(folder.config_path)
        raise_budget(study, folder, Extension(trials, hours, train_flops))
    resume(name, data_root, store, address, tracking_uri, reports)
