"""The ready-made study files, which lie beside the package wherever it is installed."""

import re
from dataclasses import dataclass
from pathlib import Path

import study
from study.config.yaml_io import read_yaml_file
from study.errors import StudyError
from study.files import atomic_write
from study.registry import nearest

FOLDER = Path(study.__file__).parents[1] / "search_spaces"
SCHEMA = "study.schema.json"
_SCHEMA_LINE = re.compile(r"(?<=\$schema=)\S*" + re.escape(SCHEMA))


@dataclass(frozen=True)
class Example:
    """A ready-made study file.

    Attributes:
        name: Its path in the folder without the suffix, such as ``paper/claims_small``.
        description: What it is for, in its own words.
    """

    name: str
    description: str


def examples() -> list[Example]:
    """All of them, by name.

    Raises:
        StudyError: The installation has none.
    """
    paths = example_paths()
    if not paths:
        raise StudyError(f"there are no study files in {FOLDER}; install the package again")
    return [
        Example(name, str(read_yaml_file(path)["description"])) for name, path in paths.items()
    ]


def copy_example(name: str, out: Path | None) -> Path:
    """Copy one, and the schema by which an editor completes it where none is beside it.

    Args:
        name: Of the example.
        out: File to write; else its own name in the working directory.

    Returns:
        The file that was written.

    Raises:
        StudyError: There is no such example, or the file is there already.
    """
    known = example_paths()
    if name not in known:
        guess = nearest(name, list(known))
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise StudyError(f"no example {name[:80]!r}{hint} (app-study examples lists them)")
    path = out or Path(known[name].name)
    if path.exists():
        raise StudyError(f"{path} exists; remove it, or give another --out")
    text = _SCHEMA_LINE.sub(SCHEMA, known[name].read_text(encoding="utf-8"), count=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = path.parent / SCHEMA
    if not schema.exists():
        atomic_write(schema, (FOLDER / SCHEMA).read_bytes())
    atomic_write(path, text.encode())
    return path


def example_paths() -> dict[str, Path]:
    """Name → file of each."""
    paths = sorted(FOLDER.rglob("*.yaml"))
    return {path.relative_to(FOLDER).with_suffix("").as_posix(): path for path in paths}
