"""What a search has proposed, and what is left of what it is to propose in turn."""

import random
from collections import deque
from collections.abc import Mapping
from typing import Any

from study.config.arms import SearchArm, belongs
from study.config.points import MAX_CELLS
from study.config.study_config import StudyConfig
from study.seeding import derive_seed
from study.store.record import Record


def num_asked(record: Record, arm: SearchArm) -> int:
    """How many proposals an arm has had, those that were answered from the record included."""
    proposed = [t.chosen for t in record.trials.values() if t.source == "search"]
    others = [chosen for _, chosen in (*record.repeats, *record.refused)]
    return sum(belongs(chosen, arm) for chosen in (*proposed, *others))


def _tried(record: Record) -> list[dict[str, Any]]:
    proposed = [trial.chosen for trial in record.trials.values()]
    others = [chosen for _, chosen in (*record.repeats, *record.refused)]
    return [dict(chosen) for chosen in (*proposed, *others)]


def untried_places(record: Record) -> deque[Mapping[str, Any]]:
    """Places of earlier studies that were not proposed yet, in their order."""
    tried = _tried(record)
    return deque(chosen for chosen in record.places if dict(chosen) not in tried)


def untried_cells(study: StudyConfig, record: Record) -> deque[dict[str, Any]]:
    """The cells of a grid in the study's own random order, so that any part of it is fair."""
    assert study.search is not None
    tried = _tried(record)
    cells = study.space.cells(study.fixed, limit=MAX_CELLS)
    random.Random(derive_seed(study.search.seed, "grid")).shuffle(cells)
    return deque(cell for cell in cells if cell not in tried)
