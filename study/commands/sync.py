"""``app-study sync``."""

from typing import Annotated

import typer
from rich.console import Console

from study.commands.completion import complete_study
from study.commands.options import DataRoot, Store, TrackingUri
from study.config.problems import in_file
from study.session.console import say
from study.text import count
from study.workflow.addresses import store_root, tracking_address, with_data_root
from study.workflow.workplace import open_tracker


def sync(
    name: Annotated[str, typer.Argument(help="Name of a study.", autocompletion=complete_study)],
    data_root: DataRoot = None,
    store: Store = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Log to MLflow what it is missing of a study, or all of it to another store."""
    from study.config.loading import load_study
    from study.operations.sync import sync_study
    from study.store.folder import StudyStore

    folder = StudyStore(store_root(None, store)).existing(name)
    with in_file(folder.config_path):
        study = load_study(folder.config_path, overrides=with_data_root([], data_root))
        uri = tracking_address(study, tracking_uri)
        num_trials = sync_study(study, folder, lambda: open_tracker(study, uri))
    say(Console(), f"MLflow has all of the study {name}: {count(num_trials, 'trial')}.")
