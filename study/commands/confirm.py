"""``app-study confirm``: the best of a search again, with fresh seeds."""

import enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from study.commands.completion import complete_study
from study.commands.exit_codes import exit_unless_finished
from study.commands.options import Address, DataRoot, Reports, Store, TrackingUri, ray_restarts
from study.workflow.addresses import store_root, with_override
from study.workflow.confirmation import chosen_options, confirm_study
from study.workflow.workplace import Workplace


class BaselineName(enum.StrEnum):
    """What a configuration can be run beside."""

    DENSE = "dense"
    ONE_SHOT = "one_shot"


def confirm(
    name: Annotated[
        str,
        typer.Argument(
            metavar="STUDY",
            help="Name of a study.",
            show_default=False,
            autocompletion=complete_study,
        ),
    ],
    top: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many configurations; else confirm.top, else 3."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Fresh seeds for each configuration; else confirm.seeds, else 8."
        ),
    ] = None,
    until: Annotated[
        Literal["decided"] | None,
        typer.Option(
            help="Look after 6, 8, 12, 16, 24 and 32 seeds, until all verdicts are settled.",
        ),
    ] = None,
    baselines: Annotated[
        list[BaselineName] | None,
        typer.Option(
            "--baseline",
            help="Run beside each; repeatable; else confirm.baselines, else both.",
        ),
    ] = None,
    trials: Annotated[
        list[str] | None,
        typer.Option("--trial", metavar="NUMBER", help="Confirm this trial instead; repeatable."),
    ] = None,
    vary_data: Annotated[
        bool, typer.Option("--vary-data", help="Also split the data anew with each seed.")
    ] = False,
    new_name: Annotated[
        str | None, typer.Option("--name", help="Name of the new study; else STUDY-confirm.")
    ] = None,
    data_root: DataRoot = None,
    store: Store = None,
    address: Address = None,
    tracking_uri: TrackingUri = None,
    reports: Reports = Path("reports"),
) -> None:
    """Run the best of a study and their baselines again with fresh seeds, as a new study."""
    from study.config.study_config import confirmation_of
    from study.errors import StudyError
    from study.operations.opened_study import OpenedStudy
    from study.store.folder import StudyStore
    from study.tune.cluster.study_ray import StudyRay

    if until and seeds is not None:
        raise StudyError("--until decided and --seeds both say how many; keep one of them")
    root = store_root(None, store)
    searched = OpenedStudy.open(name, root, data_root)
    options = chosen_options(
        searched.study,
        top=top,
        seeds=until or seeds,
        baselines=tuple(map(str, baselines)) if baselines else None,
        trials=tuple(trials or ()),
        vary_data=vary_data,
    )
    given = with_override([], "tracking.uri", tracking_uri)
    given = with_override(given, "resources.address", address)
    with StudyRay() as ray:
        ray.restarts = ray_restarts(
            root, data_root=data_root, address=address, tracking_uri=tracking_uri, reports=reports
        )
        end = confirm_study(
            searched,
            options,
            new_name or confirmation_of(name),
            Workplace(StudyStore(root), tracking_uri, reports, ray),
            overrides=given,
        )
    exit_unless_finished(end)
