"""A confirmation that goes on until it is decided: more seeds for what is still open."""

from collections.abc import Collection, Mapping

from study.config.confirm_sections import ConfirmsSection
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.operations.confirm_choice import fresh_seeds
from study.store.folder import StudyFolder
from study.store.record import Record


def with_next_look(
    study: StudyConfig,
    open_trials: Collection[int],
    *,
    searched: Record,
    used: Collection[Mapping[str, int]],
) -> StudyConfig | None:
    """The confirming study with as many seeds as the next look takes, for what is open alone.

    Args:
        study: As it is.
        open_trials: Numbers of the confirmed trials whose verdict another look may settle.
        searched: The record of the study that is confirmed.
        used: Seeds of its other confirmations.

    Returns:
        None where nothing is open or no look is left.
    """
    confirms = study.confirms
    assert confirms is not None
    is_open = [_concerns(confirms, index, open_trials) for index in range(len(study.axes))]
    has = [list(group["seed"]) for group in study.axes]
    most = max((len(seeds) for seeds, more in zip(has, is_open, strict=True) if more), default=0)
    look = next((look for look in confirms.looks if look > most), None)
    if not any(is_open) or look is None:
        return None
    known = max(has, key=len)
    taken = [*used, *({"seed": seed} for seed in known)]
    seeds = [*known, *(more["seed"] for more in fresh_seeds(searched, look - len(known), taken))]
    axes = [
        {**group, "seed": seeds[:look] if more else group["seed"]}
        for group, more in zip(study.axes, is_open, strict=True)
    ]
    return parse_study({**study.to_dict(), "axes": axes})


def _concerns(confirms: ConfirmsSection, index: int, open_trials: Collection[int]) -> bool:
    arm = confirms.arms[index]
    return arm.trial in open_trials or not set(arm.baseline_of).isdisjoint(open_trials)


def reopen(study: StudyConfig, folder: StudyFolder) -> None:
    """Have a confirming study go on with the seeds that it has now.

    Raises:
        StudyError: It runs in another process.
    """
    with folder.lock(), folder.open_record() as record:
        # In this order: interrupted in between, it is open, and its last look is taken again.
        if record.is_finished:
            record.reopen()
        folder.write_config(study)
