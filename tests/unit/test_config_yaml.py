"""YAML as users write it, and as an enemy would."""

import time
from pathlib import Path

import pytest

from study.config.errors import ConfigError
from study.config.yaml_io import MAX_BYTES, MAX_DEPTH, read_yaml, read_yaml_file, write_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("12", 12),
        ("-7", -7),
        ("0", 0),
        ("1_000", 1000),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("off", "off"),
        ("no", "no"),
        ("y", "y"),
        ("null", None),
        ("", None),
        ("2024-01-01", "2024-01-01"),
        ("<<", "<<"),
        ("'1'", "1"),
    ],
)
def test_values_are_read_as_they_look(text: str, value: object) -> None:
    read = read_yaml(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "value",
    ["1e-3", "010", "true", "off", "null", "", "~", "1", ".5", "a: b", "é🦆", "#", 1e-05, 1e22],
)
def test_what_is_written_is_read_back(value: object) -> None:
    read = read_yaml(write_yaml({"key": value}))["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' was already given in line 1"),
        ("a: {b: 1, b: 2}", "the key 'b' was already given"),
        ("1: a", "line 1: the key 1 is not text"),
        ("[1]: a", "is not text"),
        ("a: &x [*x]", "contains itself"),
        ("a: &x {b: {c: *x}}", "contains itself"),
        ("a: [1", "line 1"),
        ("a: \x00", "not YAML"),
        ("a: *nowhere", "line 1, column 4: not YAML"),
        ("!!python/object/new:os.system [echo]", "not YAML"),
        ("a: " + "9" * 5000, "not YAML"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "levels deep"),
        ("[" * 20_000, "levels deep"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match="1 problem") as refused:
        read_yaml(text)
    assert says in str(refused.value)


def test_aliases_that_explode_are_refused_before_they_do() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 11)]
    started = time.monotonic()
    with pytest.raises(ConfigError, match="once aliases are expanded"):
        read_yaml("\n".join(lines))
    assert time.monotonic() - started < 5


def test_aliases_may_be_used() -> None:
    assert read_yaml("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("#" * (MAX_BYTES + 1), encoding="utf-8")
    with pytest.raises(ConfigError, match="larger than"):
        read_yaml_file(path)


def test_every_refusal_of_a_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes("é".encode("latin-1"))
    (tmp_path / "broken").write_text("a: [", encoding="utf-8")
    for name in ("folder", "latin", "broken", "missing"):
        with pytest.raises(ConfigError) as refused:
            read_yaml_file(tmp_path / name)
        assert refused.value.source == str(tmp_path / name)
