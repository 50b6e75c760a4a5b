"""PostgreSQL and MLflow as real servers on loopback, started and ended by a test."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_HOST = "127.0.0.1"
_DEBIAN = Path("/usr/lib/postgresql")
_PROGRAMS = ("initdb", "postgres", "pg_isready", "createdb", "pg_dump")
_USER = "postgres"  # Debian's, as whom it runs where we are root, which PostgreSQL refuses


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as listening:
        listening.bind((_HOST, 0))
        return int(listening.getsockname()[1])


def wait_until(is_so: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for a moment, and fail with ``what`` where it does not come."""
    end = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end, f"not within {timeout_s} s: {what}"
        time.sleep(0.1)


def programs() -> Path:
    """The folder of PostgreSQL's programs. That there is none is a failure, no reason to pass."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*versions, *([Path(on_path).resolve().parent] if on_path else [])]
    for folder in candidates:
        if all((folder / program).is_file() for program in _PROGRAMS):
            return folder
    pytest.fail(
        f"no PostgreSQL: no folder in {_DEBIAN} or on the PATH has {', '.join(_PROGRAMS)}; "
        f"install it, on Debian by apt-get install postgresql",
        pytrace=False,
    )


@dataclass(frozen=True)
class Postgres:
    """A cluster of PostgreSQL with one empty database."""

    port: int
    password: str
    bin: Path

    @property
    def uri(self) -> str:
        """The database's address for MLflow, password included, and the driver that is here."""
        return f"postgresql+psycopg2://{_USER}:{self.password}@{_HOST}:{self.port}/mlflow"

    def dump(self) -> str:
        """All that the database holds, as text."""
        address = self.uri.replace("+psycopg2", "")
        command = [str(self.bin / "pg_dump"), "--no-owner", address]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """PostgreSQL on loopback, with a password, in a folder of its own that is gone afterwards."""
    where = programs()
    as_other = []
    # Not in tmp_path: its parents are closed to other users.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        data, key = folder / "data", folder / "password"
        server = Postgres(free_port(), secrets.token_hex(16), where)
        key.write_text(server.password, encoding="utf-8")
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_USER)
            for path in (folder, key):
                os.chown(path, owner.pw_uid, owner.pw_gid)
            as_other = [
                "setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups",
            ]  # fmt: skip
        making = [
            *as_other, str(where / "initdb"), "-D", str(data), "-U", _USER, "--encoding=UTF8",
            "--auth=scram-sha-256", f"--pwfile={key}", "--no-sync",
        ]  # fmt: skip
        subprocess.run(making, cwd=folder, check=True, capture_output=True, timeout=120)
        running = [
            *as_other, str(where / "postgres"), "-D", str(data), "-p", str(server.port),
            "-c", f"listen_addresses={_HOST}", "-c", "unix_socket_directories=",
        ]  # fmt: skip
        log = folder / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(running, cwd=folder, stdout=said, stderr=said)
        try:
            ready = [str(where / "pg_isready"), "-q", "-h", _HOST, "-p", str(server.port)]
            wait_until(
                lambda: process.poll() is not None or not subprocess.run(ready).returncode,
                60,
                "PostgreSQL answers",
            )
            assert process.poll() is None, log.read_text(encoding="utf-8")
            making = [
                str(where / "createdb"), "-h", _HOST, "-p", str(server.port), "-U", _USER,
                "mlflow",
            ]  # fmt: skip
            password = {**os.environ, "PGPASSWORD": server.password}
            subprocess.run(making, env=password, check=True, capture_output=True, timeout=60)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # its fast shutdown
            process.wait(timeout=60)


class MlflowServer:
    """An MLflow server over a database, which takes and gives artifacts itself.

    Args:
        database: Its address; given to the server in its environment.
        folder: Where the server keeps the artifacts, which no client is told.
    """

    def __init__(self, database: str, folder: Path) -> None:
        self.uri = f"http://{_HOST}:{free_port()}"
        self.artifacts = folder / "kept by the server"
        self._log = folder / "server.log"
        self._environment = {
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": database,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """All that it said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", _HOST,
            "--port", self.uri.rpartition(":")[2], "--workers", "1",
            "--serve-artifacts", "--artifacts-destination", self.artifacts.as_uri(),
        ]  # fmt: skip
        with self._log.open("ab") as said:
            self._process = subprocess.Popen(
                command,
                env=self._environment,
                stdout=said,
                stderr=said,
                cwd=self._log.parent,
                start_new_session=True,
            )
        wait_until(self._answers, 120, f"MLflow answers: {self.log[-2000:]}")

    def kill(self) -> None:
        """End it and all its processes at once, whatever they are doing."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return True
        except OSError:
            return False
