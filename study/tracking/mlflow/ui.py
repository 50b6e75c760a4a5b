"""MLflow's interface on loopback, in a process of its own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from study.credentials import without_credentials
from study.tracking.address import absolute_uri, sqlite_path
from study.tracking.mlflow.saved_view import VIEW_TAG_PREFIX, view_address, view_key
from study.tracking.tracker import TrackingError

_HOST = "127.0.0.1"
_STARTS_WITHIN_S = 120.0


@dataclass(frozen=True)
class Interface:
    """An MLflow interface that answers.

    Attributes:
        address: Where, without credentials.
        process: The server, if it is ours.
    """

    address: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it ends with us."""
        return self.process is not None

    @classmethod
    @contextlib.contextmanager
    def serve(cls, uri: str, *, port: int) -> Iterator["Interface"]:
        """The interface of a store: a server's own, or one that runs here meanwhile.

        Args:
            uri: The store.
            port: Of the one that is started; 0 for any.

        Raises:
            TrackingError: The store is missing, the port is taken, or the server does not start.
        """
        if uri.startswith(("http://", "https://")):
            yield cls(without_credentials(uri).rstrip("/"))
            return
        path = sqlite_path(uri)
        if path is not None and not path.is_file():
            raise TrackingError(
                f"there is no MLflow database {path}; give the study's with --tracking-uri "
                f"sqlite:///PATH"
            )
        free = _free_port(port)
        with (
            tempfile.TemporaryFile() as output,
            _server(absolute_uri(uri), free, output) as process,
        ):
            interface = cls(f"http://{_HOST}:{free}", process)
            interface._wait_until_it_answers(output)
            yield interface

    def link(self, experiment: str, study: str) -> str:
        """The page of a study's runs, where the server can be asked for its experiment.

        Under the study's view, where it was tracked with one.
        """
        query = urllib.parse.urlencode({"experiment_name": experiment})
        query_url = f"{self.address}/api/2.0/mlflow/experiments/get-by-name?{query}"
        try:
            with urllib.request.urlopen(query_url, timeout=10) as answer:
                found = json.load(answer)["experiment"]
                number, tags = found["experiment_id"], found.get("tags", [])
        except (urllib.error.URLError, ValueError, KeyError):  # it wants a login, or has none
            return self.address
        if VIEW_TAG_PREFIX + view_key(study) in {tag["key"] for tag in tags}:
            return view_address(self.address, number, study)
        search = urllib.parse.quote(f"tags.study = '{study}'")
        return f"{self.address}/#/experiments/{number}/runs?searchFilter={search}"

    def wait(self) -> None:
        """Until Ctrl-C, or the server's own end."""
        assert self.process is not None
        with contextlib.suppress(KeyboardInterrupt):
            self.process.wait()

    def _wait_until_it_answers(self, output: IO[bytes]) -> None:
        assert self.process is not None
        end = time.monotonic() + _STARTS_WITHIN_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=5):
                    return
            except OSError:  # URLError is one: nobody listens yet
                time.sleep(0.2)
        output.seek(0)
        last = output.read().decode(errors="replace").strip().splitlines()[-1:]
        reason = without_credentials(last[0]) if last else "it does not answer"
        raise TrackingError(f"MLflow's interface does not start at {self.address}: {reason}")


def _free_port(port: int) -> int:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_HOST, port))
        except OSError as error:
            raise TrackingError(
                f"port {port} cannot be used ({error.strerror}); choose another with --port, "
                f"or --port 0 for any"
            ) from None
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def _server(uri: str, port: int, output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port)]
    # By the environment: arguments, which may hold a password, are seen by every user.
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # No file of the working directory stands in for a module, in the server's children too.
        "PYTHONSAFEPATH": "1",
    }
    process = subprocess.Popen(
        [*command, "--workers", "1"],
        env=environment,
        stdout=output,
        stderr=output,
        start_new_session=True,  # Ctrl-C is ours to pass on
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
