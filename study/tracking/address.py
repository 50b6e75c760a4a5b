"""Where a tracking store is."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from study.tracking.tracker import TrackingError

ARTIFACT_FOLDER = "mlartifacts"

_SQLITE = re.compile(r"(?P<scheme>sqlite(\+\w+)?:///)(?P<path>[^?]+)(?P<query>\?.*)?", re.DOTALL)


def sqlite_path(uri: str) -> Path | None:
    """The absolute path of a SQLite store's file; None for any other store.

    Raises:
        TrackingError: It begins with ``~``, which MLflow takes for a folder of that name.
    """
    match = _SQLITE.fullmatch(uri)
    if match is None or match["path"] == ":memory:":
        return None
    path = Path(unquote(match["path"]))
    if path.parts[:1] == ("~",):
        raise TrackingError(
            f"{uri}: ~ stands for no home folder in an address; write the folder out, as in "
            f"{match['scheme']}{path.expanduser()}"
        )
    return path.absolute()


def absolute_uri(uri: str) -> str:
    """``uri`` with a relative SQLite path made absolute, so that it holds in any directory.

    Raises:
        TrackingError: See :func:`sqlite_path`.
    """
    path, match = sqlite_path(uri), _SQLITE.fullmatch(uri)
    if path is None or match is None:
        return uri
    quoted = str(path).replace("%", "%25").replace("?", "%3F")
    return f"{match['scheme']}{quoted}{match['query'] or ''}"


def artifact_location(uri: str) -> str | None:
    """Where a new experiment puts its files; None where the store or its server decides.

    Beside a SQLite database, absolute: MLflow's own default, ``mlruns`` in the directory that the
    study happened to start from, separates the two.
    """
    path = sqlite_path(uri)
    return None if path is None else (path.parent / ARTIFACT_FOLDER).as_uri()


def check_sqlite(path: Path) -> None:
    """Make sure that a SQLite file can be written to; created, with its folder, if it is missing.

    MLflow itself tries ten times over 100 seconds before it fails.

    Raises:
        TrackingError: It cannot be created, or is something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except (OSError, sqlite3.Error) as error:
        raise TrackingError(
            f"the tracking database {path} cannot be used ({error}); "
            "choose another file with tracking.uri, e.g. sqlite:////absolute/path/mlflow.db"
        ) from error
