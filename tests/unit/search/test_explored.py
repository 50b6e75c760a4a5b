"""A sampler that has learned does not train beside what it knows."""

from pathlib import Path
from typing import Any

from study.config.space import Choices, Dimension, Range
from study.config.study import parse_study
from study.results import Outcome
from study.search.explored import NEAR, Explored
from study.search.optuna_study import Proposals
from study.search.samplers import NUM_STARTUP
from study.store.record import Record, RecordedTrial
from tests.helpers.small_studies import history, raw_search

LR, DENSITY, CRITERION = "training.lr", "pruning.final_density", "pruning.criterion"
DIMENSIONS = (
    Dimension(CRITERION, Choices(("snip", "magnitude"))),
    Dimension(DENSITY, Range(0.0, 1.0)),
    Dimension(LR, Range(0.01, 1.0, log=True)),
)


def place(criterion: str = "snip", density: float = 0.5, lr: float = 0.1) -> dict[str, Any]:
    return {CRITERION: criterion, DENSITY: density, LR: lr}


def test_near_is_the_same_choices_and_every_number_within_a_part_of_its_range() -> None:
    explored = Explored(DIMENSIONS)
    assert not explored.is_near(place())
    explored.add(place())
    assert explored.is_near(place(density=0.5 + 0.9 * NEAR, lr=0.1 * 100 ** (0.9 * NEAR)))
    assert not explored.is_near(place(density=0.5 + 1.1 * NEAR))
    assert not explored.is_near(place(lr=0.1 * 100 ** (1.1 * NEAR)))
    assert not explored.is_near(place("magnitude", density=0.51))
    # A path that is missing in one of them is another place.
    assert not explored.is_near({CRITERION: "snip", DENSITY: 0.51})


def test_the_more_places_are_known_the_nearer_another_may_lie() -> None:
    explored = Explored(DIMENSIONS)
    explored.add(place())
    assert explored.is_near(place(density=0.5 + 0.9 * NEAR))
    for density in (0.0, 0.9, 1.0):
        explored.add(place(density=density))
    # Four places of two numbers: half as far as where one is known.
    assert explored.is_near(place(density=0.5 + 0.45 * NEAR))
    assert not explored.is_near(place(density=0.5 + 0.55 * NEAR))
    explored.add(place("magnitude"))
    assert explored.is_near(place("magnitude", density=0.5 + 0.9 * NEAR))


def test_the_very_same_values_are_not_near() -> None:
    explored = Explored(DIMENSIONS)
    explored.add(place())
    explored.add(place(density=0.52))
    assert not explored.is_near(place())
    assert Explored(DIMENSIONS[:1]).is_near({CRITERION: "snip"}) is False


NUMBERS = {DENSITY: {"low": 0.1, "high": 1.0}, LR: {"low": 0.01, "high": 1.0, "log": True}}


def num_beside_others(sampler: str, path: Path) -> int:
    """Of 30 proposals after the start those that are near an earlier trial; all errors alike."""
    objective = {"metrics": ["service_error"]}
    section = {"space": NUMBERS, "sampler": sampler}
    study = parse_study(raw_search(search=section, objective=objective))
    seen, num_near = Explored(study.space.dimensions), 0
    with Record.open(path) as record:
        proposals = Proposals(study, record)
        for number in range(NUM_STARTUP["tpe"] + 30):
            trial, chosen = proposals.ask()
            num_near += number >= NUM_STARTUP["tpe"] and seen.is_near(chosen)
            seen.add(chosen)
            error = abs(chosen[DENSITY] - 0.5)
            recorded = RecordedTrial(
                str(number), number, "search", chosen, {}, history(2, error=error)
            )
            recorded.outcome = Outcome.COMPLETE
            proposals.tell(trial, recorded)
    return num_near


def test_only_a_sampler_that_has_learned_is_kept_away_from_what_was_tried(
    tmp_path: Path,
) -> None:
    assert num_beside_others("tpe", tmp_path / "tpe") == 0
    assert num_beside_others("random", tmp_path / "random") > 0
