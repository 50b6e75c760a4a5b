"""The schema of study files and the loader agree, as far as one value tells."""

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from study.config.loading import study_from_raw
from study.config.plugins import load_builtin_plugins
from study.config.problems import ConfigError, Problem
from study.config.schema.study_schema import study_schema
from study.config.schema.trial_values import all_values, plugin_points
from study.config.trial import unflatten
from study.config.yaml_io import read_yaml
from tests.helpers.fuzzing import spoilt_values
from tests.integration.test_wrong_studies import WRONG
from tests.properties.test_config import anything, places, raw_studies

load_builtin_plugins()
ROOT = Path(__file__).parents[2]
SPACES = ROOT / "search_spaces"
SCHEMA_NAME = "study.schema.json"
SCHEMA = study_schema()
VALUES = all_values()
VALIDATOR = Draft7Validator(SCHEMA)
QUICK = settings(
    max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
# What is wrong with a value by itself, in the loader's words; the rest is between values.
KINDS = r"must be (a list|a mapping|a number|text|true or false|a whole number, got (?!.*\d[.e]))"
LIMITS = r"must be (above|at least|below|at most) |must not be empty|must have at most"
KEYS = (
    r"unknown |is a section|belongs to the|holds nothing|needs at least one|has no meaning under"
)
# A plug-in refuses values of its settings by itself, in any words.
OWN = {path for point in plugin_points() for path in point.settings if "density" not in path}


def is_of_one_value(problem: Problem) -> bool:
    is_own = any(problem.path.endswith(path) for path in OWN)
    words = [KINDS, KEYS] if is_own else [KINDS, KEYS, LIMITS]
    return any(re.match(word, problem.message) for word in words)


def schema_refuses(raw: Any) -> list[str]:
    return [error.message[:200] for error in VALIDATOR.iter_errors(raw)]


def loader_refuses(raw: Any) -> list[Problem]:
    try:
        study_from_raw(raw)
    except ConfigError as error:
        return list(error.problems)
    return []


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


@QUICK
@given(raw_studies())
def test_what_is_valid_is_valid_to_the_schema(raw: dict[str, Any]) -> None:
    assert loader_refuses(raw) == []
    assert schema_refuses(raw) == []


@settings(QUICK, max_examples=200)
@given(spoilt_values())
def test_on_spoilt_studies_the_schema_refuses_what_the_loader_does(text: str) -> None:
    try:
        raw = read_yaml(text)
    except ConfigError:
        return
    agree(raw)


def agree(raw: Any) -> None:
    problems = loader_refuses(copy.deepcopy(raw))
    refused = schema_refuses(raw)
    if not problems:
        assert refused == []
    elif not refused:
        assert [p for p in problems if is_of_one_value(p)] == []


def test_a_number_that_no_float_can_hold_is_the_loaders_to_refuse() -> None:
    agree({"name": "a", "fixed": {"training.epochs": 1, "training.momentum": 10**400}})


@settings(QUICK, max_examples=200)
@given(st.data(), raw_studies(), anything)
def test_on_studies_with_anything_anywhere_the_schema_refuses_what_the_loader_does(
    data: st.DataObject, raw: dict[str, Any], wrong: Any
) -> None:
    container, key = data.draw(st.sampled_from(places(raw)))
    container[key] = wrong
    agree(raw)


def read(content: str | bytes | None) -> Any:
    """The value of a study file; None where it is no YAML at all."""
    try:
        return read_yaml(content) if isinstance(content, str) else None
    except ConfigError:
        return None


# What takes two values, the data, a module's import, or a plug-in to see.
BEYOND_ONE_VALUE = {
    "a module that is a path", "a module that is missing", "a module that fails",
    "a module that leaves", "a missing data folder", "no data folder at all",
    "more examples than fit in memory", "more megabatches than images",
    "a layer that no network has", "a rate above one",
    "a rate that leaves no weights at the largest T", "one and a half GPUs",
    "a path given twice", "both epochs and total_samples", "both tau and final_density",
    "neither tau nor final_density", "a search without objective", "a search without budget",
    "a budget without search", "a search of nothing", "axes with search", "searched and fixed",
    "an axis that is fixed as well", "too many cells", "too many points", "low above high",
    "a high that no step meets", "conditions in a circle", "a condition that is never met",
    "a setting whose plug-in is not searched", "a point that leaves a searched path open",
    "a test metric", "an objective on an empty holdout", "anytime error with density",
    "mean error while T is searched", "CER while T is searched", "CER with points of other T",
    "T searched with compute uncharged",
}  # fmt: skip


def test_of_the_wrong_files_the_schema_knows_all_but_what_takes_more_than_one_value() -> None:
    values = {name: read(wrong.content) for name, wrong in WRONG.items()}
    passed = {name for name, raw in values.items() if raw is not None and not schema_refuses(raw)}
    assert passed == BEYOND_ONE_VALUE


def points_and_foreign_settings() -> list[tuple[str, str, str, bool]]:
    """Plug-in point, a plug-in there, a setting of the point, and whether it is the plug-in's."""
    return [
        (point.path, choice.names[0], path, path in choice.settings)
        for point in plugin_points()
        for choice in point.choices
        for path in point.settings
        if path not in ("pruning.final_density", "pruning.tau")
    ]


def example(schema: dict[str, Any]) -> Any:
    """A value that is none of null."""
    kinds = schema.get("anyOf", [schema])
    by_type = {"string": "x", "integer": 1, "number": 0.5, "boolean": True, "array": [0.5, 0.9]}
    chosen = next(kind for kind in kinds if kind["type"] != "null")
    if "default" in chosen or "enum" in chosen:
        return chosen.get("default", chosen.get("enum", [None])[0])
    items = chosen.get("items", {})
    return [1] if items == {"type": "integer"} else by_type[chosen["type"]]


@pytest.mark.parametrize("form", [lambda flat: flat, unflatten], ids=["dotted", "nested"])
def test_a_setting_may_be_given_under_its_own_plug_ins_alone(
    form: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    for point, plugin, path, is_own in points_and_foreign_settings():
        fixed = {point: plugin, path: example(VALUES[path])}
        refused = schema_refuses({"name": "a", "fixed": form(fixed)})
        assert (refused == []) is is_own, (point, plugin, path, refused)
        # A study that varies the plug-in may fix what any of them has.
        varying = {"name": "a", "fixed": form({path: fixed[path]}), "axes": {point: [plugin]}}
        assert schema_refuses(varying) == []


def test_what_other_modules_register_is_left_to_the_loader() -> None:
    raw = {"name": "a", "fixed": {"pruning.criterion": "mine", "pruning.power": 2}}
    assert schema_refuses(raw)
    assert schema_refuses(raw | {"plugins": ["my_lab"]}) == []


LAB = """
from dataclasses import dataclass
from study.pruning.criteria import Magnitude
from study.pruning.scoring import CRITERIA

@CRITERIA.register("mine")
@dataclass(frozen=True)
class Mine(Magnitude):
    '''My own.

    Attributes:
        power: Of the weights.
    '''

    power: float = 1.0
"""


def run_schema(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``app-study schema`` in a process of its own, where no test has registered plug-ins."""
    return subprocess.run(
        [sys.executable, "-m", "study.cli", "schema", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_users_own_plug_ins_are_in_the_schema_that_names_their_module(tmp_path: Path) -> None:
    (tmp_path / "my_lab.py").write_text(LAB, encoding="utf-8")
    made = json.loads(run_schema(tmp_path, "my_lab").stdout)
    raw = {
        "name": "a",
        "fixed": {"pruning.criterion": "mine", "pruning.power": 2},
        "plugins": ["my_lab"],
    }
    assert Draft7Validator(made).is_valid(raw)
    raw["fixed"] = {"pruning.criterion": "snip", "pruning.power": 2}
    assert not Draft7Validator(made).is_valid(raw)
    assert "Of the weights." in json.dumps(made)
    refused = run_schema(tmp_path, "no_lab")
    assert refused.returncode == 2
    assert "there is no module 'no_lab'" in refused.stderr


def test_the_schema_beside_the_ready_made_studies_is_up_to_date(tmp_path: Path) -> None:
    made = run_schema(tmp_path, "--out", "new.json")
    assert made.returncode == 0, made.stderr
    remedy = "write it anew: app-study schema --out search_spaces/study.schema.json"
    assert (tmp_path / "new.json").read_bytes() == (SPACES / SCHEMA_NAME).read_bytes(), remedy


@pytest.mark.parametrize("path", sorted(SPACES.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_ready_made_study_names_the_schema_and_is_valid_to_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    first = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", text.splitlines()[0])
    assert first is not None
    assert (path.parent / first[1]).resolve() == SPACES / SCHEMA_NAME
    assert schema_refuses(read_yaml(text)) == []
