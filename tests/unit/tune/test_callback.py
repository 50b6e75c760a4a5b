"""What the driver does between the events of trials."""

import gc
from typing import Any, cast

from study.tune.callback import StudyCallback
from study.tune.worker_deaths import Deaths


def test_what_earlier_trials_left_is_spared_by_garbage_collection() -> None:
    nothing = cast(Any, None)
    callback = StudyCallback(nothing, Deaths(), nothing)
    gc.unfreeze()
    try:
        callback._freeze_if_due(249)
        assert gc.get_freeze_count() == 0
        callback._freeze_if_due(250)
        frozen = gc.get_freeze_count()
        assert frozen > 0
        later = [[number] for number in range(1000)]
        callback._freeze_if_due(251)
        assert gc.get_freeze_count() <= frozen
        callback._freeze_if_due(500)
        # Some of what was frozen may have died meanwhile.
        assert gc.get_freeze_count() > frozen + len(later) // 2
    finally:
        gc.unfreeze()
