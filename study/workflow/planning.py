"""What a study will cost on this machine, the confirmation of its best included."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from study.workflow.confirmation import options_of

if TYPE_CHECKING:
    from study.config.study_config import StudyConfig
    from study.operations.plan import StudyPlan


def planned(study: "StudyConfig", show: Callable[[str], None] = lambda _: None) -> "StudyPlan":
    """Its cost, with as many trials at once as fit on this machine.

    Args:
        study: Checked.
        show: Told what is being measured.

    Raises:
        ConfigError: A trial does not fit its data.
    """
    from study.operations.plan import plan_study

    capacity = max(1, (os.cpu_count() or 1) // study.resources.cpus_per_trial)
    options = options_of(study.confirm) if study.confirm else None
    return plan_study(
        study,
        max_concurrent=min(study.resources.max_concurrent or capacity, capacity),
        num_confirming=options.most_trials if options else 0,
        show=show,
    )
