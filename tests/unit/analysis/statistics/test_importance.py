"""What a metric depends on, where it is known what it depends on."""

import math
import random

import pytest

from analysis.statistics import importance
from analysis.statistics.importance import MIN_TRIALS, Domain, Importance, importances

DOMAINS = {
    "strong": Domain(is_choice=False, is_log=True),
    "weak": Domain(is_choice=True),
    "noise": Domain(is_choice=False),
    "conditional": Domain(is_choice=False),
    "constant": Domain(is_choice=True),
}


def _trials(n: int) -> tuple[list[dict[str, float | str]], list[float]]:
    """value = −log10(strong) + 0.3·[weak is b], and 20·conditional where there is one."""
    draw = random.Random(0)
    configurations: list[dict[str, float | str]] = []
    values = []
    for place in range(n):
        one: dict[str, float | str] = {
            "strong": 10 ** draw.uniform(-2, 0),
            "weak": draw.choice("ab"),
            "noise": draw.random(),
            "constant": "same",
        }
        value = -math.log10(float(one["strong"])) + 0.3 * (one["weak"] == "b")
        if place % 2:
            one["conditional"] = draw.random()
            value += 20 * float(one["conditional"])
        configurations.append(one)
        values.append(value)
    return configurations, values


@pytest.fixture(scope="module")
def found() -> dict[str, Importance]:
    configurations, values = _trials(80)
    unconditional = [c for c in configurations if "conditional" not in c]
    kept = [v for c, v in zip(configurations, values, strict=True) if "conditional" not in c]
    return {item.name: item for item in importances(unconditional, kept, DOMAINS)}


def test_what_the_value_depends_on_comes_first_and_what_never_varies_is_left_out(
    found: dict[str, Importance],
) -> None:
    assert list(found) == ["strong", "weak", "noise"]
    assert found["strong"].fanova is not None
    assert found["strong"].fanova > 0.7
    assert found["noise"].fanova is not None
    assert found["noise"].fanova < 0.05
    assert found["strong"].ped_anova == max(item.ped_anova or 0 for item in found.values())
    assert found["strong"].impurity is not None
    assert found["strong"].impurity > 0.7


def test_the_spread_holds_the_share_and_shares_are_fractions(found: dict[str, Importance]) -> None:
    for item in found.values():
        assert item.fanova is not None
        assert item.spread is not None
        assert 0 <= item.spread.low <= item.fanova <= item.spread.high <= 1
    assert sum(item.fanova or 0 for item in found.values()) <= 1


def test_a_share_is_that_of_an_additive_function() -> None:
    """Of value = a + 2b with a, b in {0, 1} drawn evenly, a explains 1/5 and b 4/5."""
    grid: list[dict[str, float | str]] = [{"a": a, "b": b} for a in "01" for b in "01"] * 5
    values = [float(str(c["a"])) + 2 * float(str(c["b"])) for c in grid]
    domains = {"a": Domain(is_choice=True), "b": Domain(is_choice=True)}
    by = {item.name: item for item in importances(grid, values, domains)}
    assert by["a"].fanova == pytest.approx(0.2, abs=0.08)
    assert by["b"].fanova == pytest.approx(0.8, abs=0.08)


def test_a_conditional_setting_is_judged_among_the_trials_that_have_it() -> None:
    configurations, values = _trials(60)
    by = {item.name: item for item in importances(configurations, values, DOMAINS)}
    assert by["conditional"].num_trials == 30
    assert by["conditional"].fanova is not None
    assert by["conditional"].fanova > 0.8
    assert by["strong"].num_trials == 60


def test_too_few_trials_and_a_value_that_never_changes_give_no_share() -> None:
    configurations, values = _trials(MIN_TRIALS - 1)
    for item in importances(configurations, values, DOMAINS):
        assert (item.fanova, item.spread, item.impurity, item.ped_anova) == (None,) * 4
    configurations, _ = _trials(20)
    for item in importances(configurations, [1.0] * 20, DOMAINS):
        assert item.fanova is None
        assert item.ped_anova is None


def test_the_same_trials_give_the_same_numbers() -> None:
    configurations, values = _trials(24)
    assert importances(configurations, values, DOMAINS) == importances(
        configurations, values, DOMAINS
    )


def test_of_very_many_trials_as_many_as_are_judged_are_drawn_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configurations, values = _trials(90)
    every = {i.name: i for i in importances(configurations, values, DOMAINS)}
    monkeypatch.setattr(importance, "MAX_JUDGED", 40)
    drawn = importances(configurations, values, DOMAINS)
    assert drawn == importances(configurations, values, DOMAINS)
    for item in drawn:
        assert item.num_trials == every[item.name].num_trials
        assert item.fanova != every[item.name].fanova
    assert next(i for i in drawn if i.name == "strong").fanova == pytest.approx(
        every["strong"].fanova, abs=0.15
    )
