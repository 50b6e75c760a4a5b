"""Registries: names, and modules that are imported only when they are needed."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from study.registry import Registry, UnknownPluginError

LATER = "registry_completed_later"


@dataclass(frozen=True)
class Quick:
    """Registered at once."""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[object]]:
    """One that knows ``quick``, and ``slow`` and ``other`` only once a module is imported."""
    made: Registry[object] = Registry("thing", later=LATER)
    # As a class of ours, which does not complete the registry.
    monkeypatch.setattr(Quick, "__module__", "study.quick")
    made.register("quick")(Quick)
    (tmp_path / f"{LATER}.py").write_text(
        "from dataclasses import dataclass\n"
        "from registry_under_test import REGISTRY\n"
        "for name in ('slow', 'other'):\n"
        "    cls = dataclass(frozen=True)(type(name, (), {'__module__': 'study.slow'}))\n"
        "    REGISTRY.register(name)(cls)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    holder = type(sys)("registry_under_test")
    monkeypatch.setattr(holder, "REGISTRY", made, raising=False)
    monkeypatch.setitem(sys.modules, "registry_under_test", holder)
    yield made
    sys.modules.pop(LATER, None)


def test_a_known_name_imports_nothing(registry: Registry[object]) -> None:
    assert registry.get("quick") is Quick
    assert "quick" in registry
    assert LATER not in sys.modules


def test_an_unknown_name_is_looked_for_in_what_is_imported_later(
    registry: Registry[object],
) -> None:
    assert registry.get("slow").__name__ == "slow"


def test_all_names_are_listed_and_told_with_those_imported_later(
    registry: Registry[object],
) -> None:
    with pytest.raises(UnknownPluginError, match=r"did you mean 'slow'.*other, quick, slow"):
        registry.get("slw")
    assert list(registry) == ["other", "quick", "slow"]


def test_a_users_class_cannot_take_a_name_that_is_imported_later(
    registry: Registry[object],
) -> None:
    @dataclass(frozen=True)
    class Mine:
        """A user's."""

    with pytest.raises(ValueError, match="'slow' is already registered"):
        registry.register("slow")(Mine)
