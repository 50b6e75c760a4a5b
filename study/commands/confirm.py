"""``app-study confirm``: the best of a search again, with fresh seeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from study.commands.launch import run_whole
from study.commands.options import (
    Address,
    DataRoot,
    Reports,
    Store,
    TrackingUri,
    store_root,
    with_override,
)
from study.comparisons import pairs_needed
from study.config.problems import in_file
from study.session.console import say
from study.text import count

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.operations.opened_study import OpenedStudy
    from study.store.folder import StudyFolder


def confirm(
    name: Annotated[
        str, typer.Argument(metavar="STUDY", help="Name of a study.", show_default=False)
    ],
    top: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of best configurations; else three, or as many as there are."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Fresh seeds for each configuration.")] = 8,
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
    from study.operations.confirm import confirming_study, is_begun
    from study.operations.confirm_choice import ConfirmOptions, seeds_of_confirmations
    from study.operations.opened_study import OpenedStudy
    from study.operations.status import read_status
    from study.store.folder import StudyStore

    root = store_root(None, store)
    searched = OpenedStudy.open(name, root, data_root)
    options = ConfirmOptions(top, tuple(trials or ()), seeds, vary_data)
    given = with_override([], "tracking.uri", tracking_uri)
    given = with_override(given, "resources.address", address)
    target, store_of_both = new_name or f"{name}-confirm", StudyStore(root)
    used = seeds_of_confirmations(store_of_both, name, excluding=target)
    with in_file(searched.folder.config_path):
        study = confirming_study(searched, options, target, overrides=given, used=used)
    folder = store_of_both.folder(study.name)
    is_fresh = not is_begun(study, folder)
    _print_plan(study, searched, folder, is_fresh=is_fresh)
    # Where the searched study is tracked, so that a report finds both.
    known = read_status(searched.folder.path.parent, name).tracking_uri
    beside = None if study.tracking.uri else known
    run_whole(study, StudyStore(root), tracking_uri or beside, reports, fresh=is_fresh)


def _print_plan(
    study: "StudyConfig", searched: "OpenedStudy", folder: "StudyFolder", *, is_fresh: bool
) -> None:
    assert study.confirms is not None
    numbers = list(dict.fromkeys(a.trial for a in study.confirms.arms if a.trial is not None))
    num_seeds = len({study.compose(point).seed for point in study.points})
    lines = [
        f"{count(len(numbers), 'trial')} of {searched.study.name} "
        f"({', '.join(map(str, numbers))}) and their baselines, each with "
        f"{count(num_seeds, 'fresh seed')}: {count(len(study.points), 'trial')} of the study "
        f"{study.name}."
    ]
    num_comparisons = sum(len(arm.baseline_of) for arm in study.confirms.arms)
    if num_comparisons and num_seeds < (needed := pairs_needed(num_comparisons)):
        lines.append(
            f"{num_seeds} seeds give estimates with intervals, but no test of "
            f"{count(num_comparisons, 'difference')} from baselines can be significant with fewer "
            f"than {needed}."
        )
    if not searched.record.is_finished:
        lines.append(f"{searched.study.name} is not finished: its best trials may still change.")
    if not is_fresh:
        how = "finished already" if folder.is_finished() else "resumed"
        lines.append(f"{study.name} was launched with the same settings before; it is {how}.")
    for line in lines:
        say(Console(), line)
