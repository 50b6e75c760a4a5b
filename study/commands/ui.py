"""``app-study ui``."""

import os
from typing import Annotated

import typer

from study.commands.completion import complete_study
from study.commands.options import Store, without_credentials_in_it
from study.workflow.addresses import DEFAULT_TRACKING_URI, store_root
from study.workflow.watching import read_study_status


def ui(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Name of the study to open; else all are listed.", autocompletion=complete_study
        ),
    ] = None,
    store: Store = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            help="MLflow store; else the study's own, else MLFLOW_TRACKING_URI.",
            callback=without_credentials_in_it,
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, help="Port on loopback; 0 for any.")] = 5000,
) -> None:
    """Serve MLflow's UI for a study's own store, on this machine alone, until Ctrl-C."""
    from study.signals import terminated_as_interrupted
    from study.store.store import StorePlace
    from study.tracking.mlflow.ui import Interface

    study = (
        read_study_status(StorePlace.from_address(store_root(None, store)), name) if name else None
    )
    known = study.tracking_uri if study else None
    uri = tracking_uri or known or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI
    with terminated_as_interrupted(), Interface.serve(uri, port=port) as interface:
        address = interface.link(study.experiment, study.name) if study else interface.address
        print(f"MLflow: {address}", flush=True)
        if interface.is_ours:
            print("Ctrl-C ends it.", flush=True)
            interface.wait()
