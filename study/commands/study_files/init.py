"""``app-study init``: a study file for a folder of images."""

import re
import sys
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from study.session.console import say
from study.text import count, duration

SCHEMA = "study.schema.json"
_T = TypeVar("_T", str, float)


def init(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Images: one sub-folder a class.", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the study; else the folder's.")] = None,
    hours: Annotated[
        float | None, typer.Option(help="Wall time on this machine that it may take; else 1.")
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(help="The network; else resnet20, a small one.")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(min=4, help="Pixels a side; else 32 or 64, by the images.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; else NAME.yaml.")] = None,
) -> None:
    """Write a study file for a folder of images, as large as the time given allows."""
    from study.config.schema.study_schema import schema_text
    from study.errors import StudyError
    from study.files import atomic_write
    from study.operations.study_files.commented import commented_file
    from study.operations.study_files.image_folder import read_folder
    from study.operations.study_files.sizing import sized_study

    place = folder or Path(_asked("Folder of images (one sub-folder a class)", None, "."))
    name = _asked("Name of the study", name, _as_name(place))
    path = out or Path(f"{name}.yaml")
    if path.exists():
        raise StudyError(f"{path} exists; remove it, or give another --out or --name")
    console = Console()
    facts = read_folder(place, image_size=image_size)
    say(
        console,
        f"{facts.root}: {count(facts.num_images, 'image')} to train on, {facts.num_classes} "
        f"classes, read as {facts.image_size} × {facts.image_size} pixels",
    )
    hours = _asked("Hours that the study may take on this machine", hours, 1.0)
    architecture = _asked("Network", architecture, "resnet20")
    if hours <= 0:
        raise StudyError(f"--hours must be above 0, got {hours:g}")
    with Console(stderr=True).status(f"timing {architecture}"):
        sized = sized_study(facts, name=name, hours=hours, architecture=architecture)
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = path.parent / SCHEMA
    if not schema.exists():
        atomic_write(schema, schema_text().encode())
    atomic_write(path, commented_file(sized, facts, schema=SCHEMA).encode())
    say(console, f"{path}: about {duration(3600 * sized.hours)} on this machine. Start it with:")
    say(console, f"app-study launch {path}")


def _asked(question: str, given: _T | None, default: _T) -> _T:
    """What is given, else what is answered at a terminal, else the default."""
    if given is not None:
        return given
    if not sys.stdin.isatty():
        return default
    answer: _T = typer.prompt(question, default=default)
    return answer


def _as_name(folder: Path) -> str:
    """A name of a study, after the folder."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.expanduser().resolve().name).strip("-._")
    return name[:60] or "images"
