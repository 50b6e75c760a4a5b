"""A model as a folder: its file, its masks, and its card twice, for programs and for people."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from study.config.plugins import load_user_plugins
from study.errors import ExportError
from study.export.card import ModelCard
from study.export.formats import FORMATS, ExportFormat, Predict, Safetensors, save_weights
from study.export.readme import readme
from study.export.tensors_file import write_tensors
from study.files import UNFINISHED
from study.pruning.mask import Mask

CARD_FILE, README_FILE, MASKS_FILE = "model_card.json", "README.md", "masks.safetensors"


def write_weights(network: nn.Module, mask: Mask, folder: Path) -> None:
    """Weights, and the masks beside them: all of a model that only its worker has.

    The folder appears whole or not at all, in the place of an earlier one.
    """
    with replaced(folder) as new:
        save_weights(network, new / Safetensors.file_name)
        _write_masks(mask.tensors, new)


def read_trained_mask(folder: Path) -> Mask:
    """The masks that :func:`write_weights` wrote."""
    return Mask({n: t.to(torch.bool) for n, t in load_file(folder / MASKS_FILE).items()})


def write_model(network: nn.Module, mask: Mask, card: ModelCard, folder: Path) -> None:
    """Write the model in its card's format, masks that its file does not hold, and the card.

    Raises:
        ExportError: The network cannot be written in this format.
    """
    export_format = FORMATS.get(card.format)()
    path = folder / export_format.file_name
    export_format.write(network, mask, card.network, path)
    held = export_format.masks(path, card.network)
    others = {name: tensor for name, tensor in mask.tensors.items() if name not in held}
    if others:
        _write_masks(others, folder)
    write_card(card, folder)


def _write_masks(masks: Mapping[str, Tensor], folder: Path) -> None:
    """Write masks, a byte a weight."""
    write_tensors({n: t.cpu().contiguous() for n, t in masks.items()}, folder / MASKS_FILE)


def write_card(card: ModelCard, folder: Path) -> None:
    """Write the card into a folder that has the model."""
    (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    (folder / README_FILE).write_text(readme(card), encoding="utf-8")


def read_card(folder: Path) -> ModelCard:
    """The card in a model's folder.

    Raises:
        ExportError: There is none, or it cannot be read.
    """
    path = folder / CARD_FILE
    try:
        return ModelCard.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(
            f"{path}: {error}; a folder that app-study export wrote has one"
        ) from None


def read_mask(folder: Path) -> Mask:
    """The masks of a model, from its file or from beside it.

    Raises:
        ExportError: They are not there, or cannot be read.
    """
    card = read_card(folder)
    export_format = _format_of(card, folder)
    with _reading(folder / export_format.file_name) as path:
        masks = export_format.masks(path, card.network)
    names = [layer.layer for layer in card.layers]
    if not masks.keys() >= set(names):
        with _reading(folder / MASKS_FILE) as path:
            masks |= {name: t.to(torch.bool) for name, t in load_file(path).items()}
    missing = [name for name in names if name not in masks]
    if missing:
        raise ExportError(f"{folder}: the masks of {', '.join(missing)} are gone; export it again")
    return Mask({name: masks[name] for name in names})


class LoadedModel(NamedTuple):
    """A model that can be asked.

    Attributes:
        card: All that is known of it.
        predict: Images ``uint8 [B, C, H, W]`` → logits ``float32 [B, classes]``.
    """

    card: ModelCard
    predict: Predict


def load_model(folder: Path, *, plugins: Sequence[str] = ()) -> LoadedModel:
    """The card, and the model.

    Nothing that the files hold is run as code, and no module is imported because a card names it.

    Args:
        folder: Of the model.
        plugins: Modules of the user's to import first, such as the one with its architecture.

    Raises:
        ExportError: The folder holds no model that can be read here.
        PluginImportError: A module cannot be imported.
    """
    load_user_plugins(plugins)
    card = read_card(folder)
    export_format = _format_of(card, folder)
    with _reading(folder / export_format.file_name) as path:
        return LoadedModel(card, export_format.load(path, card.network))


def _format_of(card: ModelCard, folder: Path) -> ExportFormat:
    if card.format not in FORMATS:
        raise ExportError(
            f"{folder}: unknown format {card.format!r} (known: {', '.join(FORMATS)})"
        )
    return FORMATS.get(card.format)()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Path]:
    """Errors name the file that is being read."""
    try:
        yield path
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ExportError(f"{path}: cannot be read: {error}") from error


def check_replaceable(folder: Path) -> None:
    """Refuse a folder that a model cannot have, or that holds more than an earlier one.

    Raises:
        ExportError: It is the working directory or above it, no folder, no model's, or has what
            no export writes in it; nothing has been changed.
    """
    place, here = folder.resolve(), Path.cwd()
    if place in (here, *here.parents):
        raise ExportError(
            f"{folder} is the working directory or above it, and a model has a folder of its own; "
            f"choose another --out"
        )
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return
    if not (place / CARD_FILE).is_file():
        raise ExportError(f"{folder} is there and is no exported model; choose another --out")
    files = [FORMATS.get(name).file_name for name in FORMATS]
    written = {CARD_FILE, README_FILE, MASKS_FILE, *files}
    others = sorted(p.name for p in place.iterdir() if p.name not in written or p.is_dir())
    if others:
        named = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if others[3:] else "")
        raise ExportError(
            f"{folder} holds beside its model what no export writes: {named}; move that away, or "
            f"choose another --out"
        )


@contextlib.contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder to be filled, which then takes the place of ``folder``."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.parent))
    new.chmod(0o755)  # a temporary folder is its maker's alone
    try:
        yield new
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
