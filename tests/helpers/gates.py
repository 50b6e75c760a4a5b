"""Trials that wait, so that what befalls their study finds them in their midst.

A study as small as a test's is over before one could do anything to it, on one machine or another.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.store.record import RecordedTrial

PLUGIN = "tests.helpers.gated"  # registers the criterion
CRITERION = "gated"


class Gate:
    """A file; while it is there, trials with ``pruning.gate`` wait once they have pruned."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.touch()

    def open(self) -> None:
        """Let those that wait go on."""
        self.path.unlink()

    @property
    def pid(self) -> int | None:
        """The process that has come to it last."""
        try:
            return int(Path(f"{self.path}.pid").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # not yet written
            return None


def ungated(trial: RecordedTrial) -> RecordedTrial:
    """The same trial with the criterion that the plug-in is but for its waiting."""
    pruning = {k: v for k, v in trial.config["pruning"].items() if k not in ("gate", "once")}
    return replace(
        trial, config={**trial.config, "pruning": {**pruning, "criterion": "magnitude"}}
    )


def ungated_study(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a study's file says, likewise, so that it is read where the plug-in is not."""
    fixed = {k: v for k, v in raw["fixed"].items() if k not in ("pruning.gate", "pruning.once")}
    return {**raw, "plugins": [], "fixed": {**fixed, "pruning.criterion": "magnitude"}}
