"""The front is what its definition says, whatever the order and the ties."""

from hypothesis import given
from hypothesis import strategies as st

from study.pareto import undominated

COORDINATE = st.integers(0, 4).map(float)
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE, COORDINATE), max_size=25)


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@given(POINTS)
def test_a_point_is_on_the_front_where_no_other_dominates_it(
    points: list[tuple[float, ...]],
) -> None:
    by_definition = [not any(dominates(other, point) for other in points) for point in points]
    assert undominated(points) == by_definition
