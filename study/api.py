"""Studies from Python, for notebooks and scripts: the commands of ``app-study``, in their words.

    from study.api import launch, load_model

    study = launch("search_spaces/quickstart.yaml", overrides={"budget.trials": 8})
    study.runs().trials                     # a pandas frame
    study.verdicts()                        # another
    (folder,) = study.export(format="onnx")
    load_model(folder).predict(images)

Mistakes of the user are a :class:`study.errors.UserError`, whose message has the remedy. After
Ctrl-C, or an interrupt of a notebook's kernel, the study can be resumed, and
``KeyboardInterrupt`` is raised. A process is left as it was: its signal handlers, environment,
loggers and threads, and a Ray that was there before, which is used. See docs/python.md.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from study.config.problems import in_file
from study.workflow.addresses import as_overrides, store_root, tracking_address
from study.workflow.launched import LaunchedStudy
from study.workflow.planning import planned
from study.workflow.watching import read_all_statuses, read_study_status

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.export.folder import LoadedModel
    from study.operations.plan import StudyPlan
    from study.operations.status import StudyStatus

    Source = str | Path | Mapping[str, Any] | StudyConfig

__all__ = [
    "LaunchedStudy",
    "launch",
    "list_studies",
    "load_model",
    "open_study",
    "plan",
    "validate",
]

Values = Mapping[str, Any]


def validate(source: "Source", *, overrides: Values = {}) -> "StudyConfig":  # noqa: B006  # only read
    """A study, checked, its plug-ins imported; nothing is run.

    Args:
        source: Path of a study file, or what such a file says as a dict.
        overrides: Dotted path → value, as ``--set`` gives them.

    Raises:
        ConfigError: With every problem found.
    """
    from study.config.loading import load_study, study_from_raw
    from study.config.study_config import StudyConfig

    given = as_overrides(overrides)
    if isinstance(source, StudyConfig):
        return study_from_raw(source.to_dict(), overrides=given) if given else source
    if isinstance(source, Mapping):
        return study_from_raw(source, overrides=given)
    return load_study(Path(source), overrides=given)


def plan(source: "Source", *, overrides: Values = {}) -> "StudyPlan":  # noqa: B006  # only read
    """What a study will cost: a few steps of each of its networks are timed on this machine.

    Raises:
        ConfigError: The study cannot be run.
    """
    return planned(validate(source, overrides=overrides))


def launch(
    source: "Source",
    *,
    overrides: Values = {},  # noqa: B006  # only read
    store: str | None = None,
    tracking_uri: str | None = None,
    reports: str | Path = "reports",
    progress: bool = True,
) -> "LaunchedStudy":
    """Run a study on Ray, confirm its best if it says so, and write the report.

    Args:
        source: Path of a study file, or what such a file says as a dict.
        overrides: Dotted path → value, such as ``{"budget.trials": 8, "data.root": folder}``.
        store: Folder or URL of all studies; else resources.storage_path, else ``app-studies``.
        tracking_uri: MLflow's; else tracking.uri, else MLFLOW_TRACKING_URI, else
            ``sqlite:///mlflow.db``.
        reports: Folder of the reports.
        progress: Show how far it is, and the answer.

    Returns:
        The study, to its end or the end of its budget.

    Raises:
        UserError: It cannot be run, as the command would say.
        KeyboardInterrupt: It was interrupted, and can be resumed.
    """
    at_launch = {} if tracking_uri is None else {"tracking.uri": tracking_uri}
    study = validate(source, overrides={**overrides, **at_launch})
    launched = LaunchedStudy(
        study.name,
        store_root(study, store),
        tracking_address(study, tracking_uri),
        Path(reports),
        Console(quiet=not progress),
        tracking_uri,
    )
    with in_file(Path(source)) if isinstance(source, str | Path) else contextlib.nullcontext():
        return launched.run(study, fresh=True)


def open_study(
    name: str,
    *,
    store: str | None = None,
    tracking_uri: str | None = None,
    reports: str | Path = "reports",
    progress: bool = True,
) -> "LaunchedStudy":
    """A study that was launched before, here or by the command, running or not.

    Args:
        name: Its name.
        store: Folder or URL of all studies; else ``app-studies``.
        tracking_uri: MLflow's; else where the study was tracked when it ran last.
        reports: Folder of the reports.
        progress: Whether what it trains is shown.

    Raises:
        StudyError: There is none of that name in the store.
    """
    from study.store.folder import StudyStore
    from study.store.store import StorePlace

    root = store_root(None, store)
    config = StudyStore(root).existing(name).read_config()
    known = read_study_status(StorePlace.from_address(root), name).tracking_uri
    uri = tracking_address(config, tracking_uri or config.tracking.uri or known)
    return LaunchedStudy(name, root, uri, Path(reports), Console(quiet=not progress), tracking_uri)


def list_studies(store: str | None = None) -> "list[StudyStatus]":
    """The status of every study of a store; of one that cannot be read, why."""
    from study.store.store import StorePlace

    place = StorePlace.from_address(store_root(None, store))
    return read_all_statuses(place)


def load_model(folder: str | Path, *, plugins: Sequence[str] = ()) -> "LoadedModel":
    """A model that was exported: its ``card``, and ``predict(images)``.

    ``predict`` takes images ``uint8 [B, C, H, W]`` and gives logits ``float32 [B, classes]``.
    Nothing that the files hold is run as code, and no module is imported because they name it.

    Args:
        folder: Of the model.
        plugins: Modules of your own to import first, such as the one with its architecture.

    Raises:
        ExportError: The folder holds no model that can be read here.
        PluginImportError: A module cannot be imported.
    """
    from study.export.folder import load_model as read_model

    return read_model(Path(folder), plugins=plugins)
