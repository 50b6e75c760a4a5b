"""Trials' networks as files, and in MLflow's registry."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from study.config.problems import in_file
from study.workflow.addresses import tracking_address

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.export.card import ModelCard
    from study.operations.opened_study import OpenedStudy
    from study.tracking.mlflow.registry import MlflowRegistry

EXPORTS = Path("exports")


@dataclass(frozen=True)
class ExportOptions:
    """How networks are written.

    Attributes:
        format_name: safetensors, state_dict, sparse, torch_export or onnx.
        out: Folder of the model, or of the models of ``pareto``; else exports/STUDY/trial-NUMBER.
        max_density: Choose among networks of at most this density.
        licence: Of the model, for its card.
    """

    format_name: str = "safetensors"
    out: Path | str | None = None
    max_density: float | None = None
    licence: str | None = None


def check_export_options(format_name: str, register: str | None, alias: str | None) -> None:
    """Check the options before anything is done.

    Raises:
        ExportError: There is no such format, or nothing that the alias could name.
    """
    from study.errors import ExportError
    from study.export.formats import format_called

    format_called(format_name)
    if alias is not None and register is None:
        raise ExportError("--alias names a version of a registered model; add --register NAME")


def export_trials(
    opened: "OpenedStudy", which: str, options: ExportOptions, *, only_one: bool = False
) -> "Iterator[tuple[ModelCard, Path]]":
    """Write the networks of trials, each checked against the network itself.

    Args:
        opened: Their study.
        which: ``best``, ``pareto``, a number or a key.
        options: How.
        only_one: Refuse several.

    Yields:
        The card of each model, and its folder.

    Raises:
        StudyError: There is no such trial, or none to choose.
        ExportError: A model cannot be written in the format, or differs from the network.
    """
    from study.errors import ExportError
    from study.export.trial_model import export_model
    from study.search.selection import choose

    with in_file(opened.folder.config_path):
        chosen = choose(
            opened.record, which, opened.study.objective, max_density=options.max_density
        )
        if only_one and len(chosen) > 1:
            raise ExportError(
                f"--register takes one model, and {which} are {len(chosen)}; name one by --trial"
            )
        root = EXPORTS / opened.study.name if options.out is None else Path(options.out)
        for recorded in chosen:
            is_only = options.out is not None and which != "pareto"
            folder = root if is_only else root / f"trial-{recorded.number}"
            card = export_model(
                opened.final_model(recorded),
                folder,
                format_name=options.format_name,
                licence=options.licence,
            )
            yield card, folder


@dataclass(frozen=True)
class Registration:
    """What an exported model becomes in MLflow's registry.

    Attributes:
        name: Of the registered model, of which it becomes the newest version.
        alias: That moves to this version, such as ``champion``.
        replace_better: Move it even from a model that is better on the holdout.
    """

    name: str
    alias: str | None = None
    replace_better: bool = False


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a registered model.

    Attributes:
        version: Its number.
        address: By which MLflow serves it: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        tracking_uri: Where the registry is.
        is_new: Whether it was registered now; the alias may have been of this model already.
    """

    version: str
    address: str
    tracking_uri: str
    is_new: bool = True


def registered_model(
    study: "StudyConfig",
    card: "ModelCard",
    folder: Path,
    registration: Registration,
    tracking_uri: str | None,
) -> RegisteredModel:
    """Make an exported model the newest version of a registered one, and give it the alias.

    Args:
        study: That it is of.
        card: Of the model in ``folder``.
        folder: Where it was exported to.
        registration: What it becomes.
        tracking_uri: MLflow's address; None for the study's own.

    Raises:
        ExportError: The alias stays with a model that is better on the holdout, or that it cannot
            be compared with; nothing has been registered.
    """
    from study.export.registration import model_info, run_tags, version_tags
    from study.tracking.mlflow.registry import MlflowRegistry

    name, alias = registration.name, registration.alias
    registry = MlflowRegistry(tracking_address(study, tracking_uri), study.tracking.experiment)
    version = _holder(registry, card, registration)
    is_new = version is None
    if version is None:
        version = registry.register(
            model_info(card, folder),
            run_tags=run_tags(card),
            name=name,
            tags=version_tags(card),
            alias=alias,
        ).version
    address = f"models:/{name}" + (f"@{alias}" if alias else f"/{version}")
    return RegisteredModel(version, address, registry.address, is_new)


def _holder(
    registry: "MlflowRegistry", card: "ModelCard", registration: Registration
) -> str | None:
    """The version with the alias where it is this model already; None where this may have it.

    Raises:
        ExportError: The alias stays with another model.
    """
    from study.errors import ExportError
    from study.export.registration import is_same_model, refusal

    name, alias = registration.name, registration.alias
    current = None if alias is None else registry.with_alias(name, alias)
    if current is None:
        return None
    if is_same_model(card, current.tags):
        return current.version
    reason = refusal(card, current.tags)
    if reason and not registration.replace_better:
        raise ExportError(
            f"version {current.version} of {name} stays the {alias}: {reason}; to replace it "
            f"nevertheless, add --replace-better"
        )
    return None
