"""What a configuration alone says of a constraint: nothing that it is not certain of."""

from typing import Any

import pytest

from study.constraints import parse_constraint
from study.search.feasibility import broken
from tests.helpers.small_trials import trained, trial

CHANNEL = {"pruning__granularity": "channel"}
COMPAT = {"pruning__reference_compat": True}


@pytest.mark.parametrize(
    ("settings", "is_certain"),
    [({}, True), (CHANNEL, False), (COMPAT, False)],
)
def test_a_density_is_certain_where_it_is_met_to_the_weight(
    settings: dict[str, Any], is_certain: bool
) -> None:
    config = trial(pruning__final_density=0.3, **settings)
    too_dense = parse_constraint("final_density <= 0.2")
    assert bool(broken(config, (), (too_dense,))) == is_certain


@pytest.mark.parametrize("settings", [{}, CHANNEL])
def test_what_is_certain_to_break_breaks(settings: dict[str, Any]) -> None:
    config = trial(pruning__final_density=0.3, training__epochs=1, **settings)
    density = trained(config).history.megabatches[-1].summary["final_density"]
    between = (0.3 + density) / 2
    for text in (f"final_density <= {between}", f"final_density >= {between}"):
        constraint = parse_constraint(text)
        assert constraint.violation(density) > 0 or not broken(config, (), (constraint,))


@pytest.mark.parametrize("settings", [{}, CHANNEL])
def test_a_dense_network_is_certain_to_break_a_limit(settings: dict[str, Any]) -> None:
    dense = {"pruning__schedule": "dense", "pruning__final_density": None}
    limit = parse_constraint("final_density <= 0.2")
    assert broken(trial(**dense, **settings), (), (limit,)) == {str(limit): pytest.approx(3.99)}
