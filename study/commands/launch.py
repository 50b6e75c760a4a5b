"""``app-study launch`` and ``app-study resume``."""

from pathlib import Path
from typing import Annotated

import typer

from study.commands.completion import complete_study
from study.commands.exit_codes import exit_unless_finished
from study.commands.options import (
    Address,
    Config,
    DataRoot,
    Reports,
    Set,
    Store,
    TrackingUri,
    ray_restarts,
)
from study.config.problems import in_file
from study.workflow.addresses import store_root, with_data_root, with_override
from study.workflow.whole import run_whole
from study.workflow.workplace import Workplace


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
    from study.tune.cluster.study_ray import StudyRay

    with StudyRay() as ray, in_file(config):
        # The addresses are part of the study from now on: it is resumed where it was.
        given = with_override(with_data_root(overrides, data_root), "tracking.uri", tracking_uri)
        given = with_override(given, "resources.address", address)
        study = load_study(config, overrides=given)
        root = store_root(study, store)
        ray.restarts = ray_restarts(
            root, data_root=data_root, address=address, tracking_uri=tracking_uri, reports=reports
        )
        workplace = Workplace(StudyStore(root), tracking_uri, reports, ray)
        exit_unless_finished(run_whole(study, workplace, fresh=True, overrides=[]))


def resume(
    name: Annotated[
        str, typer.Argument(help="Name of the interrupted study.", autocompletion=complete_study)
    ],
    data_root: DataRoot = None,
    store: Store = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Resume a study that was interrupted."""
    from study.config.loading import load_study
    from study.store.folder import StudyStore
    from study.tune.cluster.study_ray import StudyRay

    root = store_root(None, store)
    study_store = StudyStore(root)
    folder = study_store.existing(name)
    with StudyRay() as ray, in_file(folder.config_path):
        ray.restarts = ray_restarts(
            root, data_root=data_root, address=address, tracking_uri=tracking_uri, reports=reports
        )
        given = with_override(with_data_root([], data_root), "resources.address", address)
        study = load_study(folder.config_path, overrides=given)
        workplace = Workplace(study_store, tracking_uri, reports, ray)
        exit_unless_finished(run_whole(study, workplace, fresh=False, overrides=given))
