"""YAML as users write it, and as an enemy would."""

import time
from pathlib import Path

import pytest

from study.config.problems import ConfigError
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
        ("a: !!bool x", "line 1: not YAML that is read here: the tag"),
        ("a: !!float ''", "the tag"),
        ("a: !!timestamp x", "the tag"),
        ("a:\n  !mine {b: 1}", "line 2: not YAML that is read here: the tag '!mine'"),
        ("a: ! x", "the tag '!'"),
        ('a: "\\0"', "line 1: a text holds the character U+0000"),
        ('a: 1\nb: ["\\e[31m"]', "line 2: a text holds the character U+001B"),
        ('"a\\u202Eb": 1', "the character U+202E"),
        ("a: \u2066x", "the character U+2066"),
        ('a: "\\ud800"', "the character U+D800"),
        ('a: "\\L"', "the character U+2028"),
        ("a: 1\n---\na: 2", "line 2"),
        pytest.param("a: " + "x" * MAX_BYTES, "longer than", id="long"),
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
    started = time.process_time()
    with pytest.raises(ConfigError, match="once aliases are expanded"):
        read_yaml("\n".join(lines))
    assert time.process_time() - started < 5


def test_aliases_may_be_used() -> None:
    assert read_yaml("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("#" * (MAX_BYTES + 1), encoding="utf-8")
    with pytest.raises(ConfigError, match="larger than"):
        read_yaml_file(path)


def test_a_file_of_100_mb_takes_neither_memory_nor_time(tmp_path: Path) -> None:
    path = tmp_path / "endless.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    started = time.process_time()
    with pytest.raises(ConfigError, match="larger than"):
        read_yaml_file(path)
    assert time.process_time() - started < 1


def test_utf_8_may_begin_with_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "marked.yaml"
    path.write_bytes("\ufeffname: é".encode())
    assert read_yaml_file(path) == {"name": "é"}


@pytest.mark.parametrize("text", ["🦆", "👩‍🔬", "日本", "שלום", "two\nlines", "a\ttab"])
def test_text_of_any_language_is_read_back(text: str) -> None:
    assert read_yaml(write_yaml({"key": text})) == {"key": text}


def test_every_refusal_of_a_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes("é".encode("latin-1"))
    (tmp_path / "broken").write_text("a: [", encoding="utf-8")
    (tmp_path / "utf-16").write_bytes("name: a".encode("utf-16"))
    (tmp_path / "utf-32").write_bytes("name: a".encode("utf-32"))
    (tmp_path / "nul").write_bytes(b"name: a\0")
    for name in ("folder", "latin", "broken", "missing", "utf-16", "utf-32", "nul"):
        with pytest.raises(ConfigError) as refused:
            read_yaml_file(tmp_path / name)
        assert refused.value.source == str(tmp_path / name)
