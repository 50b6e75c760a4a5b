"""``app-study sync``."""

from typing import TYPE_CHECKING, Annotated

import typer

from study.commands.options import (
    DataRoot,
    Store,
    TrackingUri,
    store_root,
    tracking_address,
    with_data_root,
)
from study.config.problems import in_file

if TYPE_CHECKING:
    pass
from study.commands.launch import open_tracker


def sync(
    name: Annotated[str, typer.Argument(help="Name of a study.")],
    data_root: DataRoot = None,
    store: Store = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Send to MLflow what is missing there of a study, or all of it to another store."""
    from study.config.loading import load_study
    from study.operations.sync import sync_study
    from study.store.folder import StudyStore

    folder = StudyStore(store_root(None, store)).existing(name)
    with in_file(folder.config_path):
        study = load_study(folder.config_path, overrides=with_data_root([], data_root))
        uri = tracking_address(study, tracking_uri)
        count = sync_study(study, folder, lambda: open_tracker(study, uri))
    print(f"The tracking store has all of the study {name}: {count} trials.")
