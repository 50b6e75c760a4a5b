"""What a figure of very many points draws, and says that it draws."""

import pytest

from analysis.figures.figure import Axis, Figure, Panel, Series
from analysis.figures.thinning import MAX_POINTS, thinned

MANY = 3 * MAX_POINTS + 1


def _figure(*series: Series) -> Figure:
    axis = Axis("x")
    return Figure("f", "Title", "What is seen.", axis, (Panel(axis, series),))


def _cloud(num_points: int, *, ringed: bool = False) -> Series:
    x = tuple(float(i) for i in range(num_points))
    y = tuple(1.0 if i == 7 else 0.5 + i / 1e6 for i in range(num_points))
    return Series("trials", x, y, tuple(f"trial {i}" for i in range(num_points)), ringed=ringed)


def test_a_figure_of_few_points_is_drawn_as_it_is() -> None:
    figure = _figure(_cloud(MAX_POINTS))
    assert thinned(figure) == figure


def test_a_figure_of_many_points_draws_fewer_and_says_how_many() -> None:
    drawn = thinned(_figure(_cloud(MANY)))
    (series,) = drawn.panels[0].series
    assert MAX_POINTS / 2 < len(series.x) <= MAX_POINTS + 4
    assert f"{len(series.x):,} of {MANY:,} points are drawn" in drawn.caption
    assert drawn.caption.startswith("What is seen.")


def test_each_drawn_point_keeps_its_own_value_and_words() -> None:
    cloud = _cloud(MANY)
    (series,) = thinned(_figure(cloud)).panels[0].series
    every = dict(zip(cloud.x, zip(cloud.y, cloud.hover, strict=True), strict=True))
    for x, y, words in zip(series.x, series.y, series.hover, strict=True):
        assert every[x] == (y, words)


def test_the_outermost_points_stay() -> None:
    cloud = _cloud(MANY)
    (series,) = thinned(_figure(cloud)).panels[0].series
    assert (min(series.x), max(series.x)) == (0.0, MANY - 1.0)
    assert (min(series.y), max(series.y)) == (min(cloud.y), max(cloud.y))


def test_many_small_clouds_are_thinned_together() -> None:
    drawn = thinned(_figure(*(_cloud(MAX_POINTS // 2) for _ in range(8))))
    sizes = [len(series.x) for series in drawn.panels[0].series]
    assert sum(sizes) <= MAX_POINTS + 8 * 4
    assert len(set(sizes)) == 1


def test_ringed_points_all_stay_beside_a_thinned_cloud() -> None:
    front = _cloud(MANY, ringed=True)
    drawn = thinned(_figure(_cloud(MANY), front))
    assert drawn.panels[0].series[1] == front


@pytest.mark.parametrize("moves", [(), (1,), (5, 6, MANY - 1)])
def test_steps_are_drawn_where_they_move_and_so_look_the_same(moves: tuple[int, ...]) -> None:
    y, value = [], 0.0
    for i in range(MANY):
        value += i in moves
        y.append(value)
    line = Series("best", tuple(map(float, range(MANY))), tuple(y), mark="steps")
    drawn = thinned(_figure(line))
    (series,) = drawn.panels[0].series
    assert len(series.x) <= len(moves) + 2
    assert drawn.caption == "What is seen."  # nothing is missing in the picture

    held = dict(zip(series.x, series.y, strict=True))
    shown = None
    for x, value in zip(line.x, line.y, strict=True):
        shown = held.get(x, shown)
        assert shown == value
