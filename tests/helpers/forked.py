"""Commands of app-study in processes of their own that need not import everything anew.

Importing Ray, torch and MLflow takes a command longer than all that a small study does. A fork
server imports them once; each command is a fork of it, with a process group, a working directory,
an environment and an output of its own.
"""

import atexit
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import connection
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Self

from study import cli
from study.tune.cluster.connection import RAY_SETTINGS

ROOT = Path(__file__).parents[2]
_PRELOADED = [
    "study.cli",
    "study.operations.launch",
    "study.operations.confirm",
    "study.tracking.mlflow.tracker",
    "mlflow.store.tracking.sqlalchemy_store",
    "ray.tune",
    "optuna",
    "torchvision",
    "analysis.page.page",
    "analysis.runs.load",
    "scipy.stats",
    "matplotlib.figure",
]


@functools.cache
def fork_server() -> multiprocessing.context.ForkServerContext:
    """The fork server of this process; it imports while tests run that do not need it yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    before = dict(os.environ)
    # Ray reads its settings as it is imported.
    os.environ.update({**RAY_SETTINGS, "PYTHONPATH": str(ROOT)})
    try:
        # A process that ends at once: there is no public way to start the server alone.
        process = context.Process(target=os.getpid)
        process.start()
        process.join(0)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return context


class ForkedCommand:
    """A running ``app-study``, with what is used of :class:`subprocess.Popen`.

    Args:
        arguments: Of the command line.
        folder: Its working directory.
        environment: Its whole environment.
    """

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        with NamedTemporaryFile(prefix="said-", delete=False) as said:
            self._said = Path(said.name)
        self._process = fork_server().Process(
            target=_app_study, args=(list(arguments), folder, dict(environment), self._said)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """The process's number, also of its group."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; ``-N`` where signal N ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """As :attr:`returncode`."""
        return self.returncode

    def kill(self) -> None:
        """Kill the process, and none that it has started."""
        os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for its end; what it said on both of its outputs.

        Raises:
            subprocess.TimeoutExpired: It has not ended in time.
        """
        if not connection.wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired("app-study", timeout or 0.0, self._said.read_bytes())
        self._process.join()
        return self._said.read_text(encoding="utf-8"), None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self.returncode is None:
            self.kill()
        self._process.join()


def _app_study(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], said: Path
) -> None:
    """Run in the fork, to its end."""
    os.setsid()
    with said.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = [str(Path(cli.__file__)), *arguments]
    try:
        cli.main()
    finally:
        atexit._run_exitfuncs()  # a fork of multiprocessing's leaves them out
