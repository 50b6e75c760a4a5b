"""A plug-in for studies in processes of their own: magnitude, before which a trial may wait.

Never imported by tests, whose registry of criteria it would be added to; see tests.helpers.gates.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from study.pruning.channels.group_scores import GroupScore
from study.pruning.channels.groups import ChannelGroups
from study.pruning.criteria import Magnitude
from study.pruning.scoring import CRITERIA, ScoringContext


@CRITERIA.register("gated")
@dataclass(frozen=True)
class Gated(Magnitude):
    """Magnitude, and a trial that has pruned before waits while there is a file.

    Attributes:
        gate: The file; empty to wait for nothing.
        once: Only the first that comes here waits; who comes while it does so, or later, goes on.
    """

    gate: str = ""
    once: bool = False

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """Magnitudes, after the wait."""
        self._wait(has_pruned=not context.mask.is_dense)
        return super().scores(context)

    def channel_scores(
        self, context: ScoringContext, *, groups: ChannelGroups, kept: Tensor, how: GroupScore
    ) -> Tensor:
        """Of a network that is smaller by what was pruned, so that its own mask tells nothing."""
        self._wait(has_pruned=not bool(kept.all()))
        return super().channel_scores(context, groups=groups, kept=kept, how=how)

    def _wait(self, *, has_pruned: bool) -> None:
        if self.gate and has_pruned and self._is_to_wait():
            while Path(self.gate).exists():
                time.sleep(0.05)

    def _is_to_wait(self) -> bool:
        """Whether this trial waits; its process then stands beside the file."""
        try:
            with Path(f"{self.gate}.pid").open("x" if self.once else "w") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            return False
        return True
