"""What things are called in a store of studies, and which studies it has."""

from pathlib import Path

from study.registry import nearest
from study.tune.errors import StudyError

DEFAULT_STORE = Path("app-studies")
RECORD_FILE = "record.jsonl"
LOCK_FILE = ".lock"


def study_names(root: Path) -> list[str]:
    """The studies in a store, sorted."""
    return sorted(path.parent.name for path in root.glob(f"*/{RECORD_FILE}"))


def no_such_study(root: Path, name: str) -> StudyError:
    """The error that names the studies there are."""
    names = study_names(root)
    guess = nearest(name, names)
    hint = f"; did you mean {guess!r}?" if guess else ""
    known = f" (there are: {', '.join(names)})" if names else ""
    return StudyError(f"no study {name!r} in {root.absolute()}{hint}{known}")
