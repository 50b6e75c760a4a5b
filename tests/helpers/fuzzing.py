"""Valid studies spoilt at a place of hypothesis' choice, and the command line called on them."""

import contextlib
import copy
import importlib
import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import strategies as st

from study.cli import main
from study.config.sections import SECTIONS
from study.config.yaml_io import read_yaml, write_yaml
from study.data.sources.image_cache import CACHE_FOLDER
from study.registry import hyperparameters
from tests.helpers.small_studies import FIXED, raw_search

# Written without quotes, as a user may: what is a number, and what YAML makes of signs.
_AS_TYPED = "AS-TYPED-"
NAMES = (
    "../../x", "'; DROP TABLE runs; --", "<script>alert(1)</script>", "x" * 10_000, "🦆",
    "\x1b[31mred\x1b[0m", "two\nlines", "a\0b", "%00", "con", "NUL.txt", "a\u202eb", "..", ".",
    "-", "a/b", "a\\b", "${HOME}", "{{ 7 * 7 }}", "[bold]x[/bold]", "' OR '1'='1", '"onload="x',
)  # fmt: skip
ODD: tuple[Any, ...] = (
    *NAMES,
    None, True, False, 0, -1, 1, 2, 3.5, -0.5, 1e308, 1e-320, 10**12, 10**30, -(10**30), "", " ",
    [], [[]], [[1], [2]], [None], [1, "a"], ["snip", "snip"], list(range(60)), {}, {"a": 1},
    {"low": 1, "high": 0}, {"low": 0, "high": 10**30}, {"choices": []}, {"low": 0, "log": True},
    {"low": 0.1, "high": 1, "when": {"a": 1}}, {"": {}}, {"a.b": {"c.d": []}},
    *(_AS_TYPED + text for text in (
        "1e400", "-1e400", ".nan", ".inf", "0x10", "010", "1_0", "*nowhere", "&a [*a]", "!!bool x",
        "!!python/name:os.system", "2024-99-99", "9" * 5000, "[" * 60 + "]" * 60, "|", "{", "? ",
        "<<", "off", "~", "=", "%x", "@x", "`x",
    )),
)  # fmt: skip
_SIGNS = "\0\x1b\u202e\u2028\x85\t:[]{}&*!|>\"'%@`#-,?\\é🦆\ufeff"


def valid_studies() -> list[dict[str, Any]]:
    """One trial; a search with points; a grid. Small, and quick to check."""
    shape = {"pruning.schedule": "geometric", "pruning.rate": 0.2, "stream.num_megabatches": 2}
    search = raw_search()
    search["search"] = {
        **search["search"],
        "points": [
            {"pruning.schedule": "app", "pruning.final_density": 0.5, "stream.num_megabatches": 2}
        ],
    }
    one = {
        "name": "one",
        "description": "A trial.",
        "fixed": FIXED | shape,
        "objective": {"metrics": ["service_error"], "service_after": 1.0},
        "resources": {"cpus_per_trial": 1, "storage_path": "studies"},
        "tracking": {"uri": "sqlite:///mlflow.db", "experiment": "app-study"},
        "plugins": [],
    }
    grid = {
        "name": "grid",
        "fixed": FIXED | {"pruning.final_density": 0.5},
        "axes": [
            {"stream.num_megabatches": [1, 2], "seed": [0, 1]},
            {"pruning.schedule": "dense"},
        ],
    }
    return [one, search, grid]


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside."""
    items: Any = ()
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    for key, value in items:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _known_paths() -> list[str]:
    """Every dotted path that a trial may have, under any plug-in."""
    fields = {
        f"{name}.{field}" for name, section in SECTIONS.items() for field in section.model_fields
    }
    for name, section in SECTIONS.items():
        for registry in section.plugin_points.values():
            for plugin in registry:
                fields |= {f"{name}.{field}" for field in hyperparameters(registry.get(plugin))}
    # What another data set or network takes would be read, or built, from the real one.
    return sorted(fields - {"data.dataset", "data.root", "data.download"})


KNOWN_PATHS = _known_paths()


@st.composite
def spoilt_values(draw: st.DrawFn) -> str:
    """A study in YAML of which one to three values or keys are others, gone, or too many."""
    raw = read_yaml(write_yaml(draw(st.sampled_from(valid_studies()))))  # lists, no tuples
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(raw))
        if places:
            _spoil(draw, raw, draw(st.sampled_from(places)))
    return write_yaml(raw).replace(_AS_TYPED, "")


def _spoil(draw: st.DrawFn, raw: Any, path: tuple[Any, ...]) -> None:
    parent: Any = raw
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    how = draw(st.sampled_from(["replace", "replace", "set", "delete", "wrap", "add", "rename"]))
    odd = copy.deepcopy(draw(st.sampled_from(ODD)))
    if how == "set" and isinstance(raw.get("fixed"), dict):
        raw["fixed"][draw(st.sampled_from(KNOWN_PATHS))] = odd
    elif how in ("replace", "set"):
        parent[key] = odd
    elif how == "delete":
        del parent[key]
    elif how == "wrap":
        parent[key] = draw(st.sampled_from([[parent[key]], {"value": parent[key]}]))
    elif isinstance(parent, list):
        parent.append(odd)
    else:
        name = draw(st.sampled_from([*NAMES, "unknown", "seed", f"{key}s", str(key).upper()]))
        parent[name] = parent.pop(key) if how == "rename" else odd


@st.composite
def spoilt_texts(draw: st.DrawFn) -> str:
    """A study in YAML of which a line or a sign is another, gone, or too many."""
    text = write_yaml(draw(st.sampled_from(valid_studies())))
    lines = text.splitlines(keepends=True)
    index = draw(st.integers(0, len(lines) - 1))
    place = draw(st.integers(0, len(text)))
    how = draw(st.sampled_from(["double", "delete", "indent", "cut", "insert", "exchange"]))
    sign = draw(st.sampled_from(_SIGNS))
    if how == "cut":
        return text[:place]
    if how == "insert":
        return text[:place] + sign + text[place:]
    if how == "exchange":
        return text[:place] + sign + text[place + 1 :]
    change = {"double": lines[index] * 2, "delete": "", "indent": f" {lines[index]}"}[how]
    return "".join([*lines[:index], change, *lines[index + 1 :]])


@dataclass(frozen=True)
class Ended:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str
    started: bool = False


class Desk:
    """A working directory in which nothing may appear, with neither Ray nor MLflow to start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = folder / "study.yaml"

    def write(self, text: str) -> None:
        self.study.write_text(text, encoding="utf-8", newline="", errors="surrogatepass")

    def app_study(self, *arguments: str) -> Ended:
        """Call ``app-study`` in this process; what is no answer to its user is raised."""
        out, err = io.StringIO(), io.StringIO()
        code, started = 0, False
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["app-study", *arguments])
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main()
                except SystemExit as left:
                    code = int(left.code or 0)
                except ModuleNotFoundError as error:
                    if error.name not in ("ray", "mlflow"):
                        raise
                    started = True  # it would have
        return Ended(code, out.getvalue(), err.getvalue(), started)

    def files(self) -> list[Path]:
        """All files, but for images that were decoded on the way."""
        found = self.folder.rglob("*")
        return sorted(path for path in found if CACHE_FOLDER not in path.parts)


class _WithoutMlflow(contextlib.nullcontext[Any]):
    """A process that cannot import MLflow."""

    def __init__(self, *_: str) -> None:
        super().__init__(self)

    def open(self) -> NoReturn:
        raise ModuleNotFoundError("there is no MLflow here", name="mlflow")


@contextlib.contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """A desk in ``folder``, and the process as it was afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("APP_STUDY_DATA", raising=False)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(sys, "path", list(sys.path))
        patch.setattr(sys, "dont_write_bytecode", True)
        for top in ("ray", "mlflow"):
            for name in [n for n in sys.modules if n == top or n.startswith(f"{top}.")]:
                patch.delitem(sys.modules, name)
            patch.setitem(sys.modules, top, None)
        for name in [n for n in sys.modules if n.startswith("study.tracking.mlflow")]:
            patch.delitem(sys.modules, name)
        own_process = importlib.import_module("study.tracking.mlflow.own_process")
        patch.setattr(own_process, "in_own_process", _WithoutMlflow)
        yield Desk(folder)
