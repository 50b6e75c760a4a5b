"""A search that has ended, as its record has it, from the errors of its networks."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.config.study import parse_study
from study.operations.opened_study import OpenedStudy
from study.results import Outcome, TrialHistory
from study.store.folder import StudyFolder
from study.store.record import Record, RecordedTrial
from tests.helpers.small_studies import SPACE, history, raw_search

CHOICES = {**SPACE, "pruning.schedule": ["app", "one_shot", "geometric", "dense"]}


def searched(
    networks: Mapping[tuple[int, float], tuple[float, float]],
    path: Path = Path("none"),
    speedups: Mapping[tuple[int, float], float] | None = None,
    **changes: Any,
) -> OpenedStudy:
    """A study whose trials are these.

    Args:
        networks: T and density (1 is dense) → service and final error.
        path: Of its folder.
        speedups: T and density → the network's; of those that are not there none was measured.
        changes: Sections of the study.
    """
    study = parse_study(raw_search(**changes) | {"search": {"space": CHOICES}})
    record = Record()
    for number, ((length, density), (service, final)) in enumerate(networks.items()):
        chosen: dict[str, Any] = {"stream.num_megabatches": length}
        if density == 1:
            chosen["pruning.schedule"] = "dense"
        else:
            chosen |= {"pruning.schedule": "app", "pruning.final_density": density}
        made = history(length, of=length)
        summary = {"service_error": service, "final_error": final, "final_density": density}
        if (length, density) in (speedups or {}):
            summary["speedup"] = (speedups or {})[length, density]
        spent = {"samples_seen": 1000.0, "train_flops": 1e6}
        last = made.megabatches[-1]
        last = replace(last, summary=summary, metrics={**last.metrics, **spent})
        record.trials[str(number)] = RecordedTrial(
            str(number), number, "search", chosen, study.compose(chosen).to_dict(),
            TrialHistory(made.epochs, (*made.megabatches[:-1], last)), Outcome.COMPLETE,
        )  # fmt: skip
    return OpenedStudy(study, StudyFolder(path), record)
