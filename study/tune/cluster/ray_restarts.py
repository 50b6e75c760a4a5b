"""A Ray of our own that has died: the program begins anew in its place, and resumes the study."""

import os
import shlex
import sys
from collections.abc import Sequence
from typing import NoReturn

from study.errors import StudyError
from study.tune.cluster.ray_watch import kill_rest_of_ray

_NUMBER = "APP_STUDY_RAY_RESTARTS"  # how many there were


class RayHasDiedError(StudyError):
    """A Ray of our own has died under a study, or did not start again; the study can go on.

    Attributes:
        study: Its name.
    """

    def __init__(self, why: str, study: str) -> None:
        super().__init__(why)
        self.study = study


class RayRestarts:
    """The program in its own place once more, three times at most.

    A process in which Ray has died cannot go on: what is left of Ray there ends it a minute later.
    Nothing of the old one is left in the new one but its number, its terminal and its environment.

    Args:
        options: Of ``app-study resume``, that lead to the same study.
    """

    MOST = 3

    def __init__(self, options: Sequence[str]) -> None:
        self._options = list(options)
        self._environment = dict(os.environ)  # before Ray has added to it
        self.number = int(self._environment.get(_NUMBER, 0))

    @property
    def may_restart(self) -> bool:
        """Whether it has not begun anew too often."""
        return self.number < self.MOST

    def command(self, study: str) -> str:
        """What is to be typed to resume the study."""
        return shlex.join(["app-study", *self._resume(study)])

    def _resume(self, study: str) -> list[str]:
        return ["resume", study, *self._options]

    def resume(self, study: str) -> NoReturn:
        """Kill what is left of Ray, and resume the study in this process's place.

        From any thread; whatever others wait for. Nothing is lost by it that a kill would not
        lose, which is nothing.
        """
        kill_rest_of_ray()
        # -P: as app-study itself, it takes no module but plug-ins from the working directory.
        command = [sys.executable, "-P", "-m", "study.cli", *self._resume(study)]
        environment = {**self._environment, _NUMBER: str(self.number + 1)}
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, command, environment)
