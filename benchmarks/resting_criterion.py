"""A criterion that rests before it scores, and writes down from when to when."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from study.pruning.criteria import Magnitude
from study.pruning.scoring import CRITERIA, ScoringContext


@CRITERIA.register("resting")
@dataclass(frozen=True)
class Resting(Magnitude):
    """Magnitude, after a rest; each process has a file of its own in ``folder``.

    Attributes:
        folder: Where the files are.
        rest_s: Seconds.
    """

    folder: str = ""
    rest_s: float = 0.0

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        """As of magnitude."""
        begun = time.time()
        time.sleep(self.rest_s)
        with (Path(self.folder) / str(os.getpid())).open("a", encoding="utf-8") as file:
            file.write(f"{begun} {time.time()}\n")
        return super().scores(context)
